namespace Notify.Sending;

/// <summary>A push that waits: at the head of its subscription's line for its next attempt, or behind an earlier one.</summary>
public sealed class WaitingPush
{
    /// <summary>The line.</summary>
    public Guid SubscriptionId { get; init; }

    /// <summary>The place in the line; lower goes first.</summary>
    public long Position { get; init; }

    /// <summary>The <see cref="Contracts.SendPush.MessageId"/>; with the subscription it names the push.</summary>
    public Guid MessageId { get; init; }

    /// <summary>The <see cref="Contracts.SendPush"/> as JSON, so that the line can be taken up again by whoever finds it.</summary>
    public required string Command { get; init; }

    /// <summary>POSTs made so far.</summary>
    public int Attempts { get; set; }

    /// <summary>When it is tried at the earliest.</summary>
    public DateTimeOffset NextAttemptAt { get; set; }
}
