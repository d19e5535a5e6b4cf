namespace Notify.Contracts;

/// <summary>Event out: the push service took a push message (2xx).</summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="UserId">Its owner.</param>
/// <param name="MessageId">The <see cref="MessagePosted.MessageId"/>.</param>
/// <param name="Attempts">POSTs made, this one included.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Reason">Always null; there so that the outcomes of a push read alike.</param>
/// <param name="At">When the push service answered.</param>
public sealed record PushAccepted(
    Guid SubscriptionId, string UserId, Guid MessageId, int Attempts, int? Status, string? Reason, DateTimeOffset At);
