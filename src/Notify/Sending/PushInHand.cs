using Notify.Contracts;

namespace Notify.Sending;

/// <summary>A push that the send stage has in hand: its command, and what the bus that it came by does for it.</summary>
public abstract class PushInHand
{
    /// <summary>The command.</summary>
    public abstract SendPush Push { get; }

    /// <summary>POSTs made before, if it comes out of a waiting line; else null.</summary>
    public abstract int? AttemptsInLine { get; }

    /// <summary>Whether the bus delivered it before and was not told that it was handled.</summary>
    public abstract bool IsRedelivered { get; }

    /// <summary>Gives up.</summary>
    public abstract CancellationToken CancellationToken { get; }

    /// <summary>Says that the bus gives it to another, as it does where the worker was cut off: what is written of it from then on is out of date.</summary>
    public abstract CancellationToken IsNotOurs { get; }

    /// <summary>Publishes an event that tells of it.</summary>
    public abstract Task PublishAsync<T>(T message)
        where T : class;

    /// <summary>Publishes that it was accepted, where anybody listens.</summary>
    public abstract Task PublishIfHeardAsync(PushAccepted accepted);

    /// <summary>Publishes that it waits, where anybody listens.</summary>
    public abstract Task PublishIfHeardAsync(PushDeferred deferred);

    /// <summary>Has the bus keep it until this has come to its end, past its own; waits for that where the bus does not keep it.</summary>
    /// <param name="told">Fails if the bus should deliver it again.</param>
    public abstract Task KeepUntilAsync(Task told);

    /// <summary>Has the bus hold it back, and deliver it again.</summary>
    /// <param name="attempts">POSTs made so far.</param>
    /// <param name="delay">How long; zero or more.</param>
    public abstract Task RedeliverAsync(int attempts, TimeSpan delay);

    /// <summary>Keeps it for an operator to replay, where the bus has a place for that.</summary>
    /// <param name="reason">Why it was given up.</param>
    public abstract Task KeepInErrorQueueAsync(string reason);
}
