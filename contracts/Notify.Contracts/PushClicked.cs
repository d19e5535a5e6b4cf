namespace Notify.Contracts;

/// <summary>Event out: a user has clicked a notification or one of its buttons, as the service worker reports.</summary>
/// <remarks>It may come more than once for a push: whoever has the push may repeat the report.</remarks>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">Its owner.</param>
/// <param name="MessageId">The <see cref="MessagePosted.MessageId"/>.</param>
/// <param name="Action">The <see cref="NotificationAction.Action"/> of the button; null for the notification itself. The browser's word: it need not be one that the message had.</param>
/// <param name="At">When the report came.</param>
public sealed record PushClicked(Guid SubscriptionId, string UserId, Guid MessageId, string? Action, DateTimeOffset At);
