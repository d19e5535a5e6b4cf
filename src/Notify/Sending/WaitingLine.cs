namespace Notify.Sending;

/// <summary>A subscription that something waits for: who is at the head of its line, and since how many attempts.</summary>
/// <remarks>There is no row for a subscription that nothing waits for: on good days the table is empty.</remarks>
public sealed class WaitingLine
{
    /// <summary>The subscription.</summary>
    public Guid SubscriptionId { get; init; }

    /// <summary>The <see cref="WaitingPush.Position"/> of the push whose turn it is.</summary>
    public long Head { get; set; }

    /// <summary>Its <see cref="Contracts.SendPush.MessageId"/>.</summary>
    public Guid HeadMessageId { get; set; }

    /// <summary>POSTs made for it so far.</summary>
    public int Attempts { get; set; }

    /// <summary>When it is tried at the earliest.</summary>
    public DateTimeOffset NextAttemptAt { get; set; }

    /// <summary>The last position that was sent back to the bus and has not been called off since.</summary>
    public long ReleasedThrough { get; set; }

    /// <summary>How many go back next: one after a failure, then twice as many each time that all have gone well.</summary>
    public int ReleaseNext { get; set; } = 1;
}
