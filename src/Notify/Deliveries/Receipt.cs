namespace Notify.Deliveries;

/// <summary>What a service worker reports.</summary>
public enum ReceiptKind
{
    /// <summary>The notification was shown.</summary>
    Displayed,

    /// <summary>The notification or one of its buttons was clicked.</summary>
    Clicked,
}

/// <summary>A report of one push; the first of each kind counts.</summary>
public sealed class Receipt
{
    /// <summary>The <see cref="Contracts.MessagePosted.MessageId"/>.</summary>
    public Guid MessageId { get; init; }

    /// <summary>The subscription.</summary>
    public Guid SubscriptionId { get; init; }

    /// <summary>What is reported.</summary>
    public ReceiptKind Kind { get; init; }

    /// <summary>The button that was clicked; null for the notification itself.</summary>
    public string? Action { get; init; }

    /// <summary>When the report came.</summary>
    public DateTimeOffset At { get; init; }
}
