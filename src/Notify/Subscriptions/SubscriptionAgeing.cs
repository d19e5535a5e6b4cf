using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Store;

namespace Notify.Subscriptions;

/// <summary>
/// Expires a subscription at which its push service has failed for many days without taking anything. Only failures that tell of the subscription count: every attempt failed,
/// or the push was refused for good. A wrong VAPID pair, a host that is no longer allowed, a push service of many pushes that is down for all (<see cref="Sending.PushServiceGate"/> lets none be tried then), and a push that is too large do not.
/// </summary>
/// <remarks>Two failures that far apart at least, so that what nobody pushed to for a year is not gone by one bad hour.</remarks>
public sealed class SubscriptionAgeing(NotifyDbContext db, IOptions<SubscriptionsOptions> options)
{
    // An acceptance within it may not be seen.
    private static readonly TimeSpan Slack = NotifyDbContext.AcceptanceNotedEvery;

    /// <summary>Notes failed pushes on their subscriptions, and publishes <see cref="SubscriptionExpired"/> for those that have failed for too long.</summary>
    public async Task NoteAsync(IReadOnlyCollection<PushFailed> failures, IPublishEndpoint bus, CancellationToken cancellationToken)
    {
        var ids = failures.Where(Counts).Select(push => push.SubscriptionId).Distinct().ToList();
        if (options.Value.ExpireAfterFailingDays is not { } days || ids.Count == 0)
        {
            return;
        }

        var now = failures.Max(push => push.At);
        var (since, before) = (now - Slack, now - TimeSpan.FromDays(days));
        var failing = db.Subscriptions.Where(subscription => ids.Contains(subscription.Id));
        await failing
            .Where(subscription => subscription.FailingSince == null || subscription.LastAcceptedAt >= subscription.FailingSince)
            .ExecuteUpdateAsync(set => set.SetProperty(subscription => subscription.FailingSince, since), cancellationToken);
        var aged = await failing.AsNoTracking()
            .Where(subscription => subscription.FailingSince <= before)
            .Select(subscription => new { subscription.Id, subscription.UserId, subscription.Revision })
            .ToListAsync(cancellationToken);
        foreach (var subscription in aged)
        {
            await bus.Publish(new SubscriptionExpired(subscription.Id, subscription.UserId) { Revision = subscription.Revision }, cancellationToken);
        }
    }

    // What was refused without a POST, as its host is no longer allowed, is the operator's to mend.
    private static bool Counts(PushFailed push) => push.Reason is { } reason
        && (reason.StartsWith(PushFailureReasons.AttemptsExhausted, StringComparison.Ordinal) || (reason.StartsWith(PushFailureReasons.Rejected, StringComparison.Ordinal) && push.Status is not null));
}
