using Notify.Contracts;

namespace Notify.Sending;

/// <summary>What a push that came from the bus is to do, as its subscription's line has it.</summary>
public abstract record Turn
{
    private Turn()
    {
    }

    /// <summary>Go ahead: nothing waits, or it is at the head.</summary>
    /// <param name="Attempts">POSTs made so far.</param>
    /// <param name="Line">The line that it is the head of; null if nothing waits.</param>
    /// <param name="Subscription">What the store has of the subscription; null if it is gone.</param>
    public sealed record Go(int Attempts, WaitingLine? Line, SubscriptionStamp? Subscription) : Turn;

    /// <summary>It is at the head, but a newer push of its topic waits behind it: the device would show that one only.</summary>
    /// <param name="Attempts">POSTs made so far.</param>
    /// <param name="Line">The line.</param>
    public sealed record Superseded(int Attempts, WaitingLine Line) : Turn;

    /// <summary>It was made already, by a worker that was lost before that was acknowledged, or cut off: tell of it once more, since that may have been lost too, and let the next one in line go.</summary>
    /// <param name="Accepted">Its acceptance.</param>
    /// <param name="Line">The line that it is the head of; null if it is in none.</param>
    public sealed record Made(PushAccepted Accepted, WaitingLine? Line) : Turn;

    /// <summary>It is at the head, and has come before its time: hold it back again.</summary>
    /// <param name="Attempts">POSTs made so far.</param>
    /// <param name="Delay">How long.</param>
    /// <param name="Line">The line; null where another copy of it may be under way, so that this one must not take it out.</param>
    public sealed record NotYet(int Attempts, TimeSpan Delay, WaitingLine? Line = null) : Turn;

    /// <summary>Others wait, and it has been put at the end; or was before, and whoever did so may have been killed before it was told of.</summary>
    /// <param name="NextAttemptAt">When the line moves at the earliest.</param>
    /// <param name="Older">Older pushes of its topic, which it has superseded now: to be told of, and taken out of the line.</param>
    public sealed record StoodInLine(DateTimeOffset NextAttemptAt, IReadOnlyList<SendPush> Older) : Turn;

    /// <summary>There is nothing to do: its row will bring it back, or it was done with, or tried again, before this copy came.</summary>
    public sealed record Overtaken : Turn;
}
