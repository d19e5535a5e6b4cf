namespace Notify.Contracts;

/// <summary>Event out: the subscription is not this user's any more: they removed it, its endpoint moved to another user, or it had expired and was deleted.</summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">Its owner.</param>
public sealed record SubscriptionRemoved(Guid SubscriptionId, string UserId);
