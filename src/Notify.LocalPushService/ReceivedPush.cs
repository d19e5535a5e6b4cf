namespace Notify.LocalPushService;

/// <summary>A push message as a <see cref="LocalUserAgent"/> got it.</summary>
/// <param name="Subscription">The subscription it came for.</param>
/// <param name="Content">The plaintext; empty when there was none or it could not be decrypted.</param>
/// <param name="At">When it came.</param>
/// <param name="Version">The push service's name for it; the same when it is sent again.</param>
/// <param name="Topic">Its topic (RFC 8030, section 5.4), or null.</param>
/// <param name="Error">Why it could not be decrypted, or null. It was acknowledged with code 101 then, otherwise with 100.</param>
public sealed record ReceivedPush(
    LocalSubscription Subscription, byte[] Content, DateTimeOffset At, string Version, string? Topic = null, string? Error = null);
