namespace Notify.Dashboard;

/// <summary>What lies in queues and lines.</summary>
/// <param name="At">When it was looked for.</param>
/// <param name="Queues">Each queue of the way, its lanes too; on the in-memory bus none can be looked into.</param>
/// <param name="Redeliveries">Messages that the broker holds back, by how long; on the in-memory bus none can be seen.</param>
/// <param name="Errors">Each error queue that holds something.</param>
/// <param name="Mailboxes">On the in-memory bus: pushes in mailboxes that are not begun.</param>
/// <param name="WaitingLines">Subscriptions at which a push waits for its next attempt.</param>
/// <param name="WaitingPushes">Pushes in those lines, the ones at their heads included.</param>
/// <param name="NextAttemptAt">When the first of them is due; null if there are none.</param>
public sealed record BacklogView(
    DateTimeOffset At, IReadOnlyList<QueueView> Queues, IReadOnlyList<RedeliveryView> Redeliveries, IReadOnlyList<QueueView> Errors, int Mailboxes, int WaitingLines, int WaitingPushes, DateTimeOffset? NextAttemptAt);

/// <summary>A queue.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Stage">The stage that it belongs to: its name without the number of the lane.</param>
/// <param name="Messages">Messages ready to be taken; those that workers have taken are not among them.</param>
/// <param name="Consumers">Workers that take from it, or stand by to.</param>
public sealed record QueueView(string Name, string Stage, long Messages, long Consumers);

/// <summary>Messages that are held back.</summary>
/// <param name="Seconds">For how long.</param>
/// <param name="Messages">How many.</param>
public sealed record RedeliveryView(double Seconds, long Messages);

/// <summary>Subscriptions of a browser.</summary>
/// <param name="Name">The browser, by its User-Agent header, with the system that it runs on.</param>
/// <param name="Subscriptions">How many.</param>
public sealed record BrowserView(string Name, int Subscriptions);
