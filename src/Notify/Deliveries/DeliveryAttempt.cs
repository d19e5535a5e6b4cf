using Notify.Contracts;

namespace Notify.Deliveries;

/// <summary>A POST after which a push had to wait; the last one of a push is in its <see cref="Delivery"/>.</summary>
public sealed class DeliveryAttempt
{
    /// <summary>The <see cref="MessagePosted.MessageId"/>.</summary>
    public Guid MessageId { get; init; }

    /// <summary>The subscription.</summary>
    public Guid SubscriptionId { get; init; }

    /// <summary>Which POST it was, from 1.</summary>
    public int Attempt { get; init; }

    /// <summary>The HTTP status; null if there was no answer.</summary>
    public int? Status { get; init; }

    /// <summary>Why it is tried again.</summary>
    public string? Reason { get; init; }

    /// <summary>When the answer came.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>Those among these waits: what was not let through to its push service was no attempt, and tells the number of those before it.</summary>
    internal static IReadOnlyList<DeliveryAttempt> Of(IEnumerable<PushDeferred> waits) =>
    [
        .. waits.Where(push => push.Attempts > 0).Select(push => new DeliveryAttempt
        {
            MessageId = push.MessageId,
            SubscriptionId = push.SubscriptionId,
            Attempt = push.Attempts,
            Status = push.Status,
            Reason = push.Reason,
            At = push.At,
        }),
    ];
}
