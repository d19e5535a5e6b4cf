namespace Notify.Sending;

/// <summary>A push in its subscription's <see cref="WaitingLine"/>: at the head, for its next attempt, or behind an earlier one.</summary>
public sealed class WaitingPush
{
    /// <summary>The line.</summary>
    public Guid SubscriptionId { get; init; }

    /// <summary>The place in the line; lower goes first.</summary>
    public long Position { get; init; }

    /// <summary>The <see cref="Contracts.SendPush.MessageId"/>; with the subscription it names the push.</summary>
    public Guid MessageId { get; init; }

    /// <summary>The <see cref="Contracts.SendPush.Topic"/>: a newer push of the same one takes this one's place on the device.</summary>
    public string? Topic { get; init; }

    /// <summary>The <see cref="Contracts.SendPush"/> as JSON, so that the line can be taken up again by whoever finds it.</summary>
    public required string Command { get; init; }

    /// <summary>The trace that it belongs to, as W3C Trace Context writes a <c>traceparent</c> (section 3.2); null if it is not traced.</summary>
    public string? TraceParent { get; init; }
}
