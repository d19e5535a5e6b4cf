namespace Notify.Contracts;

/// <summary>Event out: a browser has shown a push message, as its service worker reports. Browsers that show a push message by themselves (Declarative Web Push) report nothing.</summary>
/// <remarks>It may come more than once for a push: whoever has the push may repeat the report.</remarks>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">Its owner.</param>
/// <param name="MessageId">The <see cref="MessagePosted.MessageId"/>.</param>
/// <param name="At">When the report came.</param>
public sealed record PushDisplayed(Guid SubscriptionId, string UserId, Guid MessageId, DateTimeOffset At);
