using Notify.Contracts;

namespace Notify.Messaging;

/// <summary>Sends <see cref="SendPush"/> commands to the send stage; the only way there, since it pins the order of a subscription's pushes.</summary>
public abstract class PushSender
{
    /// <summary>
    /// Marks a command that comes out of its subscription's waiting line (<see cref="Sending.WaitingLines"/>), with the POSTs made before it: a
    /// copy that was overtaken by another is known by it.
    /// </summary>
    public const string AttemptsHeader = "Notify-Attempts";

    /// <summary>Sends one command, behind those of its subscription that were sent before.</summary>
    /// <param name="push">The command.</param>
    /// <param name="attemptsInLine">POSTs made before, if it comes out of a waiting line; else null.</param>
    /// <param name="cancellationToken">Gives up; what is sent for a message that is somebody else's by now would come late.</param>
    public abstract Task SendAsync(SendPush push, int? attemptsInLine, CancellationToken cancellationToken);

    /// <summary>Sends one command of a broadcast. Others that are sent later may be handled before it, where the bus can do so.</summary>
    public virtual Task SendBroadcastAsync(SendPush push, CancellationToken cancellationToken) => SendAsync(push, attemptsInLine: null, cancellationToken);

    /// <summary>Sends one command out of a waiting line that the bus holds back.</summary>
    /// <param name="push">The command.</param>
    /// <param name="attempts">POSTs made before.</param>
    /// <param name="delay">How long; zero or more.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public abstract Task SendLaterAsync(SendPush push, int attempts, TimeSpan delay, CancellationToken cancellationToken);
}
