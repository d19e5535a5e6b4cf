namespace Notify.Contracts;

/// <summary>Event out: its owner removed the subscription, or its endpoint moved to another user.</summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">Its owner.</param>
public sealed record SubscriptionRemoved(Guid SubscriptionId, string UserId);
