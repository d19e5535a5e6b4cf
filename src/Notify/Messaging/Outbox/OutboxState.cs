namespace Notify.Messaging.Outbox;

/// <summary>What one transaction outside a consumer has sent: its messages are in <see cref="OutboxMessage"/> until they are delivered.</summary>
/// <remarks>Table and columns are those of MassTransit.EntityFrameworkCore.</remarks>
public sealed class OutboxState
{
    /// <summary>The key.</summary>
    public Guid OutboxId { get; init; }

    /// <summary>Who delivers it. Unused here: see <see cref="DeliveryTurns"/>.</summary>
    public Guid LockId { get; set; }

    /// <summary>For databases that count a row's versions.</summary>
    public byte[]? RowVersion { get; init; }

    /// <summary>When it was made, in UTC.</summary>
    public DateTime Created { get; init; }

    /// <summary>When all of it was delivered, in UTC. Unused here: what was delivered is deleted.</summary>
    public DateTime? Delivered { get; init; }

    /// <summary>The last message that was delivered. Unused here: what was delivered is deleted.</summary>
    public long? LastSequenceNumber { get; init; }
}
