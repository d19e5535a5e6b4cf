namespace Notify.Contracts;

/// <summary>Command: push this payload to this subscription. It carries no endpoint and no keys: they stay in the store.</summary>
public sealed record SendPush
{
    /// <summary>The subscription to push to.</summary>
    public required Guid SubscriptionId { get; init; }

    /// <summary>The user it was meant for; a subscription that has since moved to another user is not pushed to.</summary>
    public required string UserId { get; init; }

    /// <summary>The <see cref="MessagePosted.MessageId"/> it came from.</summary>
    public required Guid MessageId { get; init; }

    /// <summary>JSON for the service worker, at most 3,993 bytes in UTF-8 (RFC 8291 section 4).</summary>
    public required string Payload { get; init; }

    /// <summary>RFC 8030 section 5.4: exactly 32 characters of base64url.</summary>
    public string? Topic { get; init; }

    /// <summary>RFC 8030 section 5.3: very-low, low, normal or high.</summary>
    public required string Urgency { get; init; }

    /// <summary>RFC 8030 section 5.2, in seconds: the most that the push service may hold the push message.</summary>
    public required int TtlSeconds { get; init; }

    /// <summary>When the push is stale: from then on it is dropped and reported, never sent.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}
