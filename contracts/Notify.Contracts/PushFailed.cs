namespace Notify.Contracts;

/// <summary>Event out: a push is given up.</summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">The user it was meant for.</param>
/// <param name="MessageId">The <see cref="MessagePosted.MessageId"/>.</param>
/// <param name="Attempts">POSTs made.</param>
/// <param name="Status">The HTTP status of the answer that led to this; null if none did.</param>
/// <param name="Reason">One of <see cref="PushFailureReasons"/>, or the push service's own words after a colon.</param>
/// <param name="At">When it was given up.</param>
public sealed record PushFailed(
    Guid SubscriptionId, string UserId, Guid MessageId, int Attempts, int? Status, string? Reason, DateTimeOffset At);

/// <summary>The stable beginnings of <see cref="PushFailed.Reason"/>.</summary>
public static class PushFailureReasons
{
    /// <summary>The push service answered 404 or 410, or the subscription's <c>expirationTime</c> has passed.</summary>
    public const string SubscriptionExpired = "subscription_expired";

    /// <summary>The subscription was removed, or moved to another user, while the push waited.</summary>
    public const string SubscriptionGone = "subscription_gone";

    /// <summary>It outlived its TTL before the push service took it.</summary>
    public const string TtlExpired = "ttl_expired";

    /// <summary>A newer push of the same tag came while it waited: the device would show that one only.</summary>
    public const string Superseded = "superseded";

    /// <summary>Every attempt failed; the last one's reason follows.</summary>
    public const string AttemptsExhausted = "attempts_exhausted";

    /// <summary>The push service refused the push message for good; its reason follows.</summary>
    public const string Rejected = "rejected";

    /// <summary>The push service refused the application server's VAPID key or token; an operator must act.</summary>
    public const string Unauthorised = "unauthorised";

    /// <summary>The push service finds the push message too large.</summary>
    public const string TooLarge = "too_large";
}
