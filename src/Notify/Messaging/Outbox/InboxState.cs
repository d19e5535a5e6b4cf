namespace Notify.Messaging.Outbox;

/// <summary>A message that a consumer with an outbox has received: known by it, should it be delivered again.</summary>
/// <remarks>Table and columns are those of MassTransit.EntityFrameworkCore.</remarks>
public sealed class InboxState
{
    /// <summary>The key; ascending, so that rows are added at the end of the table.</summary>
    public long Id { get; init; }

    /// <summary>The message.</summary>
    public Guid MessageId { get; init; }

    /// <summary>The consumer, at its receive endpoint.</summary>
    public Guid ConsumerId { get; init; }

    /// <summary>Changed by whoever handles the message, so that the row is theirs until the end of the transaction.</summary>
    public Guid LockId { get; set; }

    /// <summary>For databases that count a row's versions.</summary>
    public byte[]? RowVersion { get; init; }

    /// <summary>When it came first, in UTC.</summary>
    public DateTime Received { get; init; }

    /// <summary>How often it was handled; a try that failed left nothing.</summary>
    public int ReceiveCount { get; set; }

    /// <summary>When the message expires, in UTC; null if it does not.</summary>
    public DateTime? ExpirationTime { get; init; }

    /// <summary>When the consumer was done with it, in UTC; null until then.</summary>
    public DateTime? Consumed { get; set; }

    /// <summary>When what the consumer sent was handed to the delivery, in UTC; null until then.</summary>
    public DateTime? Delivered { get; set; }

    /// <summary>The last message that was delivered. Unused here: what was delivered is deleted.</summary>
    public long? LastSequenceNumber { get; set; }
}
