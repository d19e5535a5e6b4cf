namespace Notify.LocalPushService;

/// <summary>How a <see cref="LocalPushServer"/> stands; also what <c>GET /</c> answers.</summary>
public sealed record LocalPushStatus
{
    /// <summary>Subscriptions that are not gone.</summary>
    public required int Subscriptions { get; init; }

    /// <summary>User agents with an open connection.</summary>
    public required int ConnectedUserAgents { get; init; }

    /// <summary>Push messages taken on for delivery.</summary>
    public required long Accepted { get; init; }

    /// <summary>Answers to push messages by HTTP status, those of faults included.</summary>
    public required IReadOnlyDictionary<int, long> AnswersByStatus { get; init; }

    /// <summary>User agents' acknowledgements by code: 100 delivered, 101 not decrypted, 102 not delivered for
    /// another reason; and their later complaints (nack), such as 302, the service worker's promise was rejected.</summary>
    public required IReadOnlyDictionary<int, long> AcknowledgementsByCode { get; init; }

    /// <summary>Connections aborted on command.</summary>
    public required long Resets { get; init; }

    /// <summary>Push messages that wait for an acknowledgement, their user agent there or not.</summary>
    public required int Stored { get; init; }

    /// <summary>Push messages whose place a newer one of the same topic took before they were acknowledged.</summary>
    public required long Replaced { get; init; }

    /// <summary>Push messages whose TTL ran out before they were acknowledged.</summary>
    public required long Expired { get; init; }

    /// <summary>Push messages not kept: TTL 0 and no user agent there, or one too many for the subscription.</summary>
    public required long Dropped { get; init; }

    /// <summary>Faults still to strike.</summary>
    public required int Faults { get; init; }
}
