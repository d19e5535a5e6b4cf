namespace Notify.Contracts;

/// <summary>
/// Event in: something was posted that its recipients should be notified of. A domain service publishes one; Notify finds every
/// push subscription of every recipient.
/// </summary>
/// <remarks>
/// Plain JSON leaves absent members at their defaults, so nothing here is <c>required</c>: Notify checks the whole event where it
/// arrives and names every fault in one message.
/// </remarks>
public sealed record MessagePosted
{
    /// <summary>The most recipients that one event may name.</summary>
    public const int MaxRecipients = 50_000;

    /// <summary>Identifies the event: published twice, it is fanned out once.</summary>
    public Guid MessageId { get; init; }

    /// <summary>The conversation whose events keep their order on every subscription; null if the event stands alone.</summary>
    public string? ConversationId { get; init; }

    /// <summary>The user who posted; never notified of their own message.</summary>
    public string? AuthorId { get; init; }

    /// <summary>User ids, 1 to 50,000; one named twice is notified once.</summary>
    public IReadOnlyList<string> RecipientIds { get; init; } = [];

    /// <summary>The notification's title, 1 to 500 characters.</summary>
    public string Title { get; init; } = "";

    /// <summary>The notification's text; cut with an ellipsis where it would not fit a push message.</summary>
    public string? Body { get; init; }

    /// <summary>Where a click leads: an absolute http(s) URL, or a path on the application's origin starting with '/'.</summary>
    public string? Url { get; init; }

    /// <summary>A newer notification of the same tag replaces the older one; the message id if null.</summary>
    public string? Tag { get; init; }

    /// <summary>URL of an icon, as <c>url</c>.</summary>
    public string? Icon { get; init; }

    /// <summary>URL of a picture, as <c>url</c>.</summary>
    public string? Image { get; init; }

    /// <summary>Keeps the notification on the screen until the user acts.</summary>
    public bool RequireInteraction { get; init; }

    /// <summary>Shows the notification without sound or vibration.</summary>
    public bool Silent { get; init; }

    /// <summary>Alerts the user also where the notification replaces an older one of its tag.</summary>
    public bool Renotify { get; init; }

    /// <summary>The number on the application's icon, 0 to 2,147,483,647; 0 takes it away, null leaves it as it is.</summary>
    public int? AppBadge { get; init; }

    /// <summary>Buttons of the notification.</summary>
    public IReadOnlyList<NotificationAction>? Actions { get; init; }

    /// <summary>RFC 8030 section 5.3: very-low, low, normal (if null) or high.</summary>
    public string? Urgency { get; init; }

    /// <summary>
    /// RFC 8030 section 5.2, in seconds from the publishing of the event, 0 to 2,419,200 (28 days); 0 means now or never.
    /// Null takes the service's default.
    /// </summary>
    public int? TtlSeconds { get; init; }

    /// <summary>When it was posted; shown as the notification's time.</summary>
    public DateTimeOffset? PostedAt { get; init; }
}
