namespace Notify.Fanout;

/// <summary>Command of the service to itself: push one message to these recipients. A part of an audience, bounded in size.</summary>
public sealed record UserFanoutPart
{
    /// <summary>The <see cref="Contracts.MessagePosted.MessageId"/>.</summary>
    public required Guid MessageId { get; init; }

    /// <summary>Parts of equal keys keep their order: the conversation; the message, where it stands alone; or of a broadcast the part itself.</summary>
    public required string OrderKey { get; init; }

    /// <summary>Where in the audience the part begins, from 0; null where a worker of an earlier version did not say.</summary>
    public int? Offset { get; init; }

    /// <summary>
    /// Whether it is of a broadcast: a message of no conversation to more than one part. Nothing keeps its order, so others' pushes may go before these.
    /// </summary>
    public bool IsBroadcast { get; init; }

    /// <summary>User ids, at most <see cref="FanoutOptions.RecipientsPerPart"/>, none twice.</summary>
    public required IReadOnlyList<string> RecipientIds { get; init; }

    /// <summary>As <see cref="Contracts.SendPush.Payload"/>.</summary>
    public required string Payload { get; init; }

    /// <summary>As <see cref="Contracts.SendPush.Topic"/>.</summary>
    public required string Topic { get; init; }

    /// <summary>As <see cref="Contracts.SendPush.Urgency"/>.</summary>
    public required string Urgency { get; init; }

    /// <summary>As <see cref="Contracts.SendPush.TtlSeconds"/>.</summary>
    public required int TtlSeconds { get; init; }

    /// <summary>As <see cref="Contracts.SendPush.ExpiresAt"/>.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}
