namespace Notify.LocalPushService;

/// <summary>An accepted push message on its way to a user agent. The TTL is in seconds; the body is empty when there was none.</summary>
internal sealed record StoredPush(
    Subscription Subscription, long Sequence, string Version, int Ttl, DateTimeOffset Expires, string? Topic, ReadOnlyMemory<byte> Body);
