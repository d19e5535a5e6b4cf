namespace Notify.Contracts;

/// <summary>
/// Event out: the subscription is gone and will be deleted. The push service answered 404 or 410, the subscription's own <c>expirationTime</c> has passed, or nothing was accepted for the many days after which
/// the service takes it to be gone.
/// </summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">Its owner.</param>
public sealed record SubscriptionExpired(Guid SubscriptionId, string UserId)
{
    /// <summary>How often the subscription's registration had changed; null if it is not known. Where it has changed again since, its browser is back, and it is not deleted.</summary>
    public int? Revision { get; init; }
}
