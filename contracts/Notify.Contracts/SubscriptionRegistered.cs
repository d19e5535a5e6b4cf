namespace Notify.Contracts;

/// <summary>Event out: a user agent subscribed, registered its subscription again with other keys or another <c>expirationTime</c>, or its subscription came to another user.</summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">Its owner.</param>
public sealed record SubscriptionRegistered(Guid SubscriptionId, string UserId);
