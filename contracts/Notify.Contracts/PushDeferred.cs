namespace Notify.Contracts;

/// <summary>Event out: a push waits, for its own next attempt or behind an earlier push of its subscription.</summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">Its owner.</param>
/// <param name="MessageId">The <see cref="MessagePosted.MessageId"/>.</param>
/// <param name="Attempts">POSTs made so far; 0 for one that waits behind another.</param>
/// <param name="Status">The HTTP status of the answer that led to this; null if none did.</param>
/// <param name="Reason">Why it waits.</param>
/// <param name="NextAttemptAt">When it is tried at the earliest.</param>
/// <param name="At">When this was decided.</param>
public sealed record PushDeferred(
    Guid SubscriptionId, string UserId, Guid MessageId, int Attempts, int? Status, string? Reason, DateTimeOffset NextAttemptAt, DateTimeOffset At);
