namespace Notify.Dashboard;

/// <summary>What became of a message.</summary>
/// <param name="MessageId">The message.</param>
/// <param name="PublishedAt">When it was published; null if that is not known any more.</param>
/// <param name="FannedOutAt">When it was fanned out; null if that is not known any more.</param>
/// <param name="States">Its deliveries by state: accepted, retrying, expired, failed.</param>
/// <param name="Deliveries">Those that changed last, at most 200.</param>
public sealed record MessageView(Guid MessageId, DateTimeOffset? PublishedAt, DateTimeOffset? FannedOutAt, IReadOnlyDictionary<string, int> States, IReadOnlyList<TimelineView> Deliveries);

/// <summary>What became of one message for one subscription.</summary>
/// <param name="MessageId">The message.</param>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">The user it was meant for.</param>
/// <param name="State">accepted, retrying, expired or failed; one that was accepted is displayed and then clicked once its service worker has said so.</param>
/// <param name="Reason">Why it waits or was given up.</param>
/// <param name="Events">What happened, oldest first.</param>
public sealed record TimelineView(Guid MessageId, Guid SubscriptionId, string UserId, string State, string? Reason, IReadOnlyList<TimelineEvent> Events);

/// <summary>Something that happened to a push.</summary>
/// <param name="At">When.</param>
/// <param name="What">posted, fannedOut, attempted, waiting, accepted, expired, failed, displayed or clicked.</param>
/// <param name="Attempt">Of attempted and of the end: which POST it was; null for others.</param>
/// <param name="Status">The HTTP status; null if there was no answer or no POST.</param>
/// <param name="Detail">The reason, or the button that was clicked.</param>
public sealed record TimelineEvent(DateTimeOffset At, string What, int? Attempt = null, int? Status = null, string? Detail = null);

/// <summary>A user.</summary>
/// <param name="UserId">The user.</param>
/// <param name="Subscriptions">Their subscriptions.</param>
/// <param name="Deliveries">What became of the last messages for them, newest first, at most 100.</param>
public sealed record UserView(string UserId, IReadOnlyList<UserSubscriptionView> Subscriptions, IReadOnlyList<TimelineView> Deliveries);

/// <summary>A user's subscription, as an operator sees it: no keys, no endpoint.</summary>
/// <param name="Id">The subscription.</param>
/// <param name="PushService">Host of its push service.</param>
/// <param name="Browser">The browser, by its User-Agent header.</param>
/// <param name="CreatedAt">When it was first registered.</param>
/// <param name="LastAcceptedAt">When a push was last accepted, to about a minute.</param>
/// <param name="FailingSince">Since when its push service has failed at it; null if it does not.</param>
/// <param name="ExpirationTime">When the browser said that it ends; null if it did not say.</param>
/// <param name="Waiting">Pushes in its waiting line.</param>
public sealed record UserSubscriptionView(
    Guid Id, string PushService, string Browser, DateTimeOffset CreatedAt, DateTimeOffset? LastAcceptedAt, DateTimeOffset? FailingSince, DateTimeOffset? ExpirationTime, int Waiting);
