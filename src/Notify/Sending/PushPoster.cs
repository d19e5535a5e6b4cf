using System.Text;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Subscriptions;
using Notify.Telemetry;
using Notify.WebPush;

namespace Notify.Sending;

/// <summary>Makes the POST of a push: its message, with the receipt's token, encrypted for its subscription and signed with the pair that this was made with.</summary>
public sealed class PushPoster(
    PushServiceClient client,
    VapidKeyRing keys,
    PushServiceAllowList allowList,
    ReceiptTokens receipts,
    NotifyMetrics metrics,
    IOptions<DeliveryLogOptions> log,
    TimeProvider time)
{
    /// <summary>Why none is made to this subscription; null if one may be.</summary>
    public PushOutcome? RefusalOf(TargetSubscription target) =>
        allowList.Refuses(target.Push.Endpoint) is { } refused ? new PushOutcome.Rejected(null, refused)
        : keys.Find(target.ApplicationServerKey) is null ? new PushOutcome.Unauthorised(null, "the subscription was made with an application server key that is not configured; give its pair back as Notify__Vapid__Previous__N ('vapid check' counts such subscriptions)")
        : null;

    /// <summary>Makes it, once <see cref="RefusalOf"/> has nothing against it.</summary>
    /// <param name="push">The command.</param>
    /// <param name="target">Its subscription.</param>
    /// <param name="attempt">Which it is, from 1.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask<PushOutcome> PostAsync(SendPush push, TargetSubscription target, int attempt, CancellationToken cancellationToken)
    {
        var payload = log.Value.Receipts ? PushPayload.WithReceipt(push.Payload, receipts.Create(push)) : push.Payload;
        var message = new PushMessage(Encoding.UTF8.GetBytes(payload))
        {
            TimeToLive = TimeToLive(push, time.GetUtcNow()),
            Urgency = push.Urgency switch
            {
                "very-low" => PushUrgency.VeryLow,
                "low" => PushUrgency.Low,
                "high" => PushUrgency.High,
                _ => PushUrgency.Normal,
            },
            Topic = push.Topic,
        };
        var pushService = target.Push.Endpoint.Authority;
        using var activity = NotifyTracing.StartPush(pushService, push, attempt);
        var begun = time.GetTimestamp();
        var outcome = await client.SendAsync(target.Push, message, keys.Find(target.ApplicationServerKey)!, cancellationToken);
        metrics.Pushed(pushService, outcome, time.GetElapsedTime(begun));
        activity?.SetOutcome(outcome);
        return outcome;
    }

    /// <summary>What is left, to the nearest second: the push service must not outlast us by more, and a second is not nothing because of the moments that the way took.</summary>
    internal static TimeSpan TimeToLive(SendPush push, DateTimeOffset now) => TimeSpan.FromSeconds(Math.Clamp(Math.Round((push.ExpiresAt - now).TotalSeconds), 0, push.TtlSeconds));
}
