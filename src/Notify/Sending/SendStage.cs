using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Messaging;
using Notify.Subscriptions;
using Notify.Telemetry;
using Notify.WebPush;

namespace Notify.Sending;

/// <summary>
/// Makes one push: (1) finds its place in the subscription's line, (2) drops it if it is stale or its subscription is gone, (3) POSTs it if its push service's gate
/// lets it through, (4) turns the outcome into an event, and (5) lets the next in line go.
/// </summary>
public sealed partial class SendStage(
    WaitingLines lines,
    SubscriptionCache subscriptions,
    PushServiceGates gates,
    PushPoster poster,
    RetrySchedule schedule,
    PushSender sender,
    DeliveryReports reports,
    NotifyMetrics metrics,
    IOptions<SendingOptions> options,
    TimeProvider time,
    ILogger<SendStage> logger)
{
    private const string NoReason = "no reason given";

    /// <summary>Comes to an end with the push's turn: if it waits for a later attempt, it is held back by then. What became of it is told by then too, or kept by the bus until it is.</summary>
    public async Task HandleAsync(PushInHand inHand)
    {
        var (push, cancellationToken) = (inHand.Push, inHand.CancellationToken);
        using var held = metrics.InHand.Take();

        // (1)
        PushAtWork work;
        SubscriptionStamp? subscription;
        switch (await lines.TakeTurnAsync(push, inHand.AttemptsInLine, inHand.IsRedelivered, inHand.IsNotOurs, cancellationToken))
        {
            case Turn.Go go:
                (work, subscription) = (new(inHand, go.Line, go.Attempts), go.Subscription);
                break;
            case Turn.Superseded superseded:
                await GiveUpAsync(new(inHand, superseded.Line, superseded.Attempts), status: null, PushFailureReasons.Superseded);
                return;
            case Turn.Made made:
                await inHand.PublishIfHeardAsync(made.Accepted);
                await AdvanceAsync(new(inHand, made.Line, made.Accepted.Attempts));
                return;
            case Turn.NotYet { Line: { } resting } notYet when notYet.Delay >= push.ExpiresAt - time.GetUtcNow():
                // It would be stale by then; the next one waits in its place.
                await GiveUpAsync(new(inHand, resting, notYet.Attempts), status: null, PushFailureReasons.TtlExpired, notYet.Delay);
                return;
            case Turn.NotYet notYet:
                await inHand.RedeliverAsync(notYet.Attempts, notYet.Delay);
                return;
            case Turn.StoodInLine stood:
                await ReportWaitAsync(inHand, stood);
                return;
            default:
                return;
        }

        // (2)
        var now = time.GetUtcNow();
        var target = subscription?.UserId == push.UserId ? await subscriptions.FindAsync(push.UserId, push.SubscriptionId, subscription.Revision, cancellationToken) : null;
        if (target is null)
        {
            // Others in the line may be for its new owner.
            await GiveUpAsync(work, status: null, PushFailureReasons.SubscriptionGone);
            return;
        }

        if (now >= target.ExpirationTime)
        {
            await ExpireAsync(work, status: null, subscription!.Revision);
            return;
        }

        if (now >= push.ExpiresAt)
        {
            await GiveUpAsync(work, status: null, PushFailureReasons.TtlExpired);
            return;
        }

        // (3)
        var gate = gates.Of(target.Push.Endpoint);
        var outcome = poster.RefusalOf(target);
        if (outcome is null)
        {
            switch (await gate.PassAsync(push.SubscriptionId, push.UserId, hasWaited: work.Line is not null, push.ExpiresAt, token => poster.PostAsync(push, target, work.Attempts + 1, token), cancellationToken))
            {
                case Passage.Made made:
                    work = work with { Attempts = work.Attempts + 1 };
                    outcome = made.Outcome;
                    break;
                case Passage.Refused refused:
                    await WaitAsync(work, refused.DelayWithin(push.ExpiresAt - time.GetUtcNow()), refused.Word, status: null, refused.Reason);
                    return;
                default:
                    await GiveUpAsync(work, status: null, PushFailureReasons.TtlExpired);
                    return;
            }
        }

        // (4) and (5)
        switch (outcome)
        {
            case PushOutcome.Accepted:
                metrics.Accepted(target.Push.Endpoint.Authority, time.GetUtcNow() - EventTime.PublishedAt(push));
                await ReportAcceptanceAsync(work, new PushAccepted(push.SubscriptionId, push.UserId, push.MessageId, work.Attempts, outcome.Status, null, time.GetUtcNow()), subscription!.LastAcceptedAt);
                await AdvanceAsync(work);
                break;
            case PushOutcome.Expired:
                await ExpireAsync(work, outcome.Status, subscription!.Revision);
                break;
            case PushOutcome.RetryLater later:
                if (!await RetryAsync(work, later) && later.RetryAfter is { } rest)
                {
                    // With the push, or the last of its line, goes what would have kept the next one back.
                    gate.LeaveAlone(push.SubscriptionId, rest);
                }

                break;
            case PushOutcome.TooLarge:
                await GiveUpAsync(work, outcome.Status, Reason(PushFailureReasons.TooLarge, outcome.Reason));
                break;
            case PushOutcome.Unauthorised:
                LogRefusal(outcome, target.Push.Endpoint.Host);
                await GiveUpAsync(work, outcome.Status, Reason(PushFailureReasons.Unauthorised, outcome.Reason), isKept: true);
                break;
            default:
                LogRefusal(outcome, target.Push.Endpoint.Host);
                await GiveUpAsync(work, outcome.Status, Reason(PushFailureReasons.Rejected, outcome.Reason), isKept: true);
                break;
        }
    }

    // What comes out of a line is in the store until the line moves, and must be in the log by then; anything else only the bus keeps.
    private Task ReportAcceptanceAsync(PushAtWork work, PushAccepted accepted, DateTimeOffset? lastAcceptedAt)
    {
        var inHand = work.InHand;
        var reported = reports.ReportAsync(accepted, lastAcceptedAt);
        return Task.WhenAll(inHand.PublishIfHeardAsync(accepted), work.Line is null ? inHand.KeepUntilAsync(reported) : reported.WaitAsync(inHand.CancellationToken));
    }

    // Whatever is no acceptance waits for those before it, which may be unacknowledged yet: were this one in a line, or done with, and they came again after a crash, they would be made after it.
    private Task EarlierOnesReportedAsync(PushInHand inHand) => reports.ReportedAsync(inHand.Push.SubscriptionId).WaitAsync(inHand.CancellationToken);

    private async Task ReportWaitAsync(PushInHand inHand, Turn.StoodInLine stood)
    {
        var push = inHand.Push;
        inHand.IsNotOurs.ThrowIfCancellationRequested();
        metrics.Deferred("in_line");
        var deferred = new PushDeferred(push.SubscriptionId, push.UserId, push.MessageId, 0, null, "waits behind an earlier push", stood.NextAttemptAt, time.GetUtcNow());
        await Task.WhenAll(inHand.PublishIfHeardAsync(deferred), inHand.KeepUntilAsync(reports.ReportAsync(deferred)));
        foreach (var older in stood.Older)
        {
            await ReportFailureAsync(inHand, older, attempts: 0, status: null, PushFailureReasons.Superseded);
        }

        if (stood.Older.Count > 0)
        {
            // Told before, so that none goes without a word where the worker is killed in between; and with none of them unacknowledged, which would come again and stand behind this one.
            await EarlierOnesReportedAsync(inHand);
            await lines.TakeOutAsync(stood.Older, inHand.IsNotOurs);
        }
    }

    /// <returns>Whether it waits; else it was given up, or made before.</returns>
    private async Task<bool> RetryAsync(PushAtWork work, PushOutcome.RetryLater later)
    {
        if (work.Attempts >= options.Value.MaxAttempts)
        {
            await GiveUpAsync(work, later.Status, Reason(PushFailureReasons.AttemptsExhausted, later.Reason), later.RetryAfter, isKept: true);
            return false;
        }

        return await WaitAsync(work, schedule.NextDelay(work.Attempts, later.RetryAfter), "retry", later.Status, later.Reason, later.RetryAfter);
    }

    // It holds its place in the line meanwhile; what would be stale by then is given up now.
    private async Task<bool> WaitAsync(PushAtWork work, TimeSpan delay, string word, int? status, string? reason, TimeSpan? retryAfter = null)
    {
        var (inHand, line, attempts) = work;
        var (push, now) = (inHand.Push, time.GetUtcNow());
        if (delay >= push.ExpiresAt - now)
        {
            await GiveUpAsync(work, status, Reason(PushFailureReasons.TtlExpired, reason), retryAfter);
            return false;
        }

        // What another has ended meanwhile, a wait would open again.
        inHand.IsNotOurs.ThrowIfCancellationRequested();

        // Told before it is written into its line: if it comes again after a crash, the line alone is asked, which does not know the answer.
        var deferred = new PushDeferred(push.SubscriptionId, push.UserId, push.MessageId, attempts, status, reason, now + delay, now);
        await Task.WhenAll(EarlierOnesReportedAsync(inHand), reports.ReportAsync(deferred).WaitAsync(inHand.IsNotOurs));
        if (await lines.HoldAsync(push, line, attempts, now + delay, inHand.IsNotOurs) is { } accepted)
        {
            await inHand.PublishIfHeardAsync(accepted);
            return false;
        }

        metrics.Deferred(word);
        await inHand.RedeliverAsync(attempts, delay);
        await inHand.PublishIfHeardAsync(deferred);
        return true;
    }

    // What an operator may be able to mend is kept for them to replay; what is stale, superseded or without a subscription is not.
    private async Task GiveUpAsync(PushAtWork work, int? status, string reason, TimeSpan? retryAfter = null, bool isKept = false)
    {
        var inHand = work.InHand;
        await EarlierOnesReportedAsync(inHand);
        await ReportFailureAsync(inHand, inHand.Push, work.Attempts, status, reason);
        if (isKept)
        {
            await inHand.KeepInErrorQueueAsync(reason);
        }

        await AdvanceAsync(work, retryAfter);
    }

    private async Task ExpireAsync(PushAtWork work, int? status, int revision)
    {
        const string reason = PushFailureReasons.SubscriptionExpired;
        var (inHand, line, attempts) = work;
        var push = inHand.Push;
        await EarlierOnesReportedAsync(inHand);
        await inHand.PublishAsync(new SubscriptionExpired(push.SubscriptionId, push.UserId) { Revision = revision });
        await ReportFailureAsync(inHand, push, attempts, status, reason);
        if (line is null)
        {
            return;
        }

        await lines.DropAsync(line, waiting => ReportFailureAsync(inHand, waiting, attempts: 0, status: null, reason), inHand.CancellationToken);
    }

    private Task ReportFailureAsync(PushInHand inHand, SendPush push, int attempts, int? status, string reason)
    {
        var failure = new PushFailed(push.SubscriptionId, push.UserId, push.MessageId, attempts, status, reason, time.GetUtcNow());
        metrics.Failed(failure);
        return inHand.PublishAsync(failure);
    }

    private Task AdvanceAsync(PushAtWork work, TimeSpan? retryAfter = null)
    {
        var (asked, cancellationToken) = (retryAfter ?? TimeSpan.Zero, work.InHand.CancellationToken);
        var rest = asked < PushServiceGate.LongestAlone ? asked : PushServiceGate.LongestAlone;
        return lines.AdvanceAsync(
            work.Line,
            rest,
            async next =>
            {
                using var trace = NotifyTracing.Resume(next.TraceParent);
                await (rest > TimeSpan.Zero ? sender.SendLaterAsync(next.Push, next.Attempts, rest, cancellationToken) : sender.SendAsync(next.Push, next.Attempts, cancellationToken));
            },
            cancellationToken);
    }

    private void LogRefusal(PushOutcome outcome, string pushService)
    {
        switch (outcome)
        {
            // Not asked.
            case { Status: null }:
                LogNotMade(pushService, outcome.Reason ?? NoReason);
                break;
            case PushOutcome.Unauthorised:
                LogUnauthorised(pushService, outcome.Status, outcome.Reason ?? NoReason);
                break;
            default:
                LogRejected(pushService, outcome.Status, outcome.Reason ?? NoReason);
                break;
        }
    }

    private static string Reason(string name, string? said) => string.IsNullOrEmpty(said) ? name : $"{name}: {said}";

    [LoggerMessage(LogLevel.Error, "{PushService} refused our VAPID key or token ({Status}: {Reason}); the subscription is kept. Run 'vapid check'")]
    private partial void LogUnauthorised(string pushService, int? status, string reason);

    [LoggerMessage(LogLevel.Error, "A push message to {PushService} is not made: {Reason}. The subscription is kept")]
    private partial void LogNotMade(string pushService, string reason);

    [LoggerMessage(LogLevel.Warning, "{PushService} rejected a push message ({Status}: {Reason}); the subscription is kept")]
    private partial void LogRejected(string pushService, int? status, string reason);

    /// <param name="InHand">The push.</param>
    /// <param name="Line">The line that it is the head of; null if nothing waits.</param>
    /// <param name="Attempts">POSTs made so far.</param>
    private readonly record struct PushAtWork(PushInHand InHand, WaitingLine? Line, int Attempts);
}
