namespace Notify.Deliveries;

/// <summary>A POST after which a push had to wait; the last one of a push is in its <see cref="Delivery"/>.</summary>
public sealed class DeliveryAttempt
{
    /// <summary>The <see cref="Contracts.MessagePosted.MessageId"/>.</summary>
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
}
