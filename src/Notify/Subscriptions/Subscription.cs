namespace Notify.Subscriptions;

/// <summary>A push subscription as the store keeps it: one row an endpoint.</summary>
public sealed class Subscription
{
    /// <summary>A version 7 UUID, so that new rows go to the end of a clustered index.</summary>
    public Guid Id { get; init; }

    /// <summary>The owner, as the application's tokens name them; compared byte for byte.</summary>
    public required string UserId { get; set; }

    /// <summary>The capability URL to POST to. Never logged, never on the bus.</summary>
    public required string Endpoint { get; init; }

    /// <summary>SHA-256 of the endpoint in base64url, 43 characters: unique, and safe to log. See <see cref="EndpointDigests"/>.</summary>
    public required string EndpointDigest { get; init; }

    /// <summary>The user agent's public key, base64url of 65 bytes (RFC 8291 section 3.1).</summary>
    public required string P256dh { get; init; }

    /// <summary>The authentication secret, base64url of 16 bytes (RFC 8291 section 3.2).</summary>
    public required string Auth { get; init; }

    /// <summary>The VAPID public key that the user agent subscribed with, base64url; pushes are signed with its pair.</summary>
    public required string ApplicationServerKey { get; init; }

    /// <summary>The browser's User-Agent header at the last registration, cut to 256 characters.</summary>
    public string? UserAgent { get; init; }

    /// <summary>When the endpoint was first registered.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When the push service last accepted a push, to about a minute; null if it never did.</summary>
    public DateTimeOffset? LastAcceptedAt { get; init; }
}
