using Microsoft.EntityFrameworkCore;
using Notify.Deliveries;
using Notify.Store;
using Notify.Subscriptions;

namespace Notify.Dashboard;

/// <summary>Reads from the store what became of a message, and of what was meant for a user.</summary>
internal sealed class Timelines(NotifyDbContext db)
{
    private const int MostOfMessage = 200;
    private const int MostOfUser = 100;

    /// <summary>What became of a message; null if nothing is known of it.</summary>
    public async Task<MessageView?> OfMessageAsync(Guid messageId, CancellationToken cancellationToken)
    {
        var states = await db.Deliveries.Where(delivery => delivery.MessageId == messageId)
            .GroupBy(delivery => delivery.State).Select(group => new { State = group.Key, Count = group.Count() })
            .ToDictionaryAsync(each => DeliveryView.NameOf(each.State), each => each.Count, cancellationToken);
        var rows = await db.Deliveries.AsNoTracking().Where(delivery => delivery.MessageId == messageId)
            .OrderByDescending(delivery => delivery.UpdatedAt).ThenBy(delivery => delivery.SubscriptionId).Take(MostOfMessage).ToListAsync(cancellationToken);
        var known = await db.FannedOutParts.AsNoTracking().SingleOrDefaultAsync(part => part.MessageId == messageId && part.Offset == 0 && part.Count == 0, cancellationToken);
        return known is null && rows.Count == 0 ? null : new MessageView(messageId, known?.PublishedAt, known?.FannedOutAt, states, await EventsAsync(rows, cancellationToken));
    }

    /// <summary>A user's subscriptions, and what became of the last messages for them.</summary>
    public async Task<UserView> OfUserAsync(string userId, CancellationToken cancellationToken)
    {
        var subscriptions = await db.Subscriptions.AsNoTracking().Where(subscription => subscription.UserId == userId).OrderBy(subscription => subscription.CreatedAt)
            .Select(subscription => new { Row = subscription, Waiting = db.WaitingPushes.Count(push => push.SubscriptionId == subscription.Id) })
            .ToListAsync(cancellationToken);
        var rows = await db.Deliveries.AsNoTracking().Where(delivery => delivery.UserId == userId)
            .OrderByDescending(delivery => delivery.UpdatedAt).Take(MostOfUser).ToListAsync(cancellationToken);
        return new UserView(
            userId,
            [
                .. subscriptions.Select(each => new UserSubscriptionView(
                    each.Row.Id, new Uri(each.Row.Endpoint).Authority, BrowserNames.Of(each.Row.UserAgent), each.Row.CreatedAt, each.Row.LastAcceptedAt,
                    FailingSince(each.Row), each.Row.ExpirationTime, each.Waiting)),
            ],
            await EventsAsync(rows, cancellationToken));
    }

    // What is noted is a minute too early, and may so be before there was anything to fail at.
    private static DateTimeOffset? FailingSince(Subscription row) =>
        row.LastAcceptedAt >= row.FailingSince ? null : row.FailingSince < row.CreatedAt ? row.CreatedAt : row.FailingSince;

    private async Task<IReadOnlyList<TimelineView>> EventsAsync(List<Delivery> rows, CancellationToken cancellationToken)
    {
        var (messages, subscriptions) = (rows.Select(row => row.MessageId).Distinct().ToList(), rows.Select(row => row.SubscriptionId).Distinct().ToList());
        var attempts = (await db.DeliveryAttempts.AsNoTracking().Where(attempt => messages.Contains(attempt.MessageId) && subscriptions.Contains(attempt.SubscriptionId)).ToListAsync(cancellationToken))
            .ToLookup(attempt => (attempt.MessageId, attempt.SubscriptionId));
        var receipts = (await db.Receipts.AsNoTracking().Where(receipt => messages.Contains(receipt.MessageId) && subscriptions.Contains(receipt.SubscriptionId)).ToListAsync(cancellationToken))
            .ToLookup(receipt => (receipt.MessageId, receipt.SubscriptionId));
        var posted = await db.FannedOutParts.AsNoTracking().Where(part => messages.Contains(part.MessageId) && part.Offset == 0 && part.Count == 0).ToDictionaryAsync(part => part.MessageId, cancellationToken);
        return
        [
            .. rows.Select(row =>
            {
                var key = (row.MessageId, row.SubscriptionId);
                var reports = receipts[key].ToList();
                var message = posted.GetValueOrDefault(row.MessageId);
                TimelineEvent?[] events =
                [
                    message?.PublishedAt is { } published ? new TimelineEvent(published, "posted") : null,
                    message is null ? null : new TimelineEvent(message.FannedOutAt, "fannedOut"),
                    .. attempts[key].Select(attempt => new TimelineEvent(attempt.At, "attempted", attempt.Attempt, attempt.Status, attempt.Reason)),
                    EndOf(row),
                    .. reports.Select(receipt => new TimelineEvent(receipt.At, receipt.Kind == ReceiptKind.Clicked ? "clicked" : "displayed", Detail: receipt.Action)),
                ];
                return new TimelineView(
                    row.MessageId, row.SubscriptionId, row.UserId, DeliveryView.NameOf(row.State, reports.Exists(receipt => receipt.Kind == ReceiptKind.Displayed), reports.Exists(receipt => receipt.Kind == ReceiptKind.Clicked)),
                    row.Reason, [.. events.OfType<TimelineEvent>().OrderBy(each => each.At)]);
            }),
        ];
    }

    private static TimelineEvent EndOf(Delivery row) => row.State == DeliveryState.Retrying
        ? new TimelineEvent(row.UpdatedAt, "waiting", Detail: row.Reason)
        : new TimelineEvent(row.UpdatedAt, DeliveryView.NameOf(row.State), row.Attempts, row.Status, row.Reason);
}
