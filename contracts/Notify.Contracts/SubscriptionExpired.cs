namespace Notify.Contracts;

/// <summary>Event out: the push service answered 404 or 410: the subscription is gone and will be deleted.</summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">Its owner.</param>
public sealed record SubscriptionExpired(Guid SubscriptionId, string UserId);
