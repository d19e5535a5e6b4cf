namespace Notify.Contracts;

/// <summary>A button of a notification.</summary>
/// <param name="Action">Identifies the button, unique within the notification.</param>
/// <param name="Title">Its label.</param>
/// <param name="Url">Where it leads; the notification's own URL if null.</param>
/// <param name="Icon">URL of its icon.</param>
public sealed record NotificationAction(string Action, string Title, string? Url = null, string? Icon = null);
