using Notify.Authentication;
using Notify.Contracts;

namespace Notify.Fanout;

/// <summary>What a MessagePosted must keep to, wherever it comes from.</summary>
public static class MessageRules
{
    internal const int MaxIdLength = 256;
    internal const int MaxTitleLength = 500;
    internal const int MaxBodyLength = 100_000;
    internal const int MaxUrlLength = 2_000;
    internal const int MaxTtlSeconds = 28 * 24 * 60 * 60;

    internal static readonly string[] Urgencies = ["very-low", "low", "normal", "high"];

    /// <summary>Every fault of the event, by member; empty if it has none.</summary>
    public static IReadOnlyDictionary<string, string> Check(MessagePosted message)
    {
        var faults = new Dictionary<string, string>();

        void Rule(bool kept, string member, string fault)
        {
            if (!kept)
            {
                faults.TryAdd(member, fault);
            }
        }

        Rule(message.MessageId != Guid.Empty, "messageId", "Give every event a UUID of its own; a second publication of it is then dropped.");
        Rule(message.RecipientIds is { Count: > 0 }, "recipientIds", "Name at least one recipient.");
        Rule(message.RecipientIds is null or { Count: <= MessagePosted.MaxRecipients }, "recipientIds", $"Name at most {MessagePosted.MaxRecipients:N0} recipients; publish a larger audience as several events.");
        Rule(message.RecipientIds is null || message.RecipientIds.All(Policies.IsUserId), "recipientIds", $"Every recipient is a user id of 1 to {MaxIdLength} characters, none a control character, and no space at either end.");
        Rule(message.AuthorId is null || message.AuthorId.AsSpan().Trim().Length == message.AuthorId.Length, "authorId", "No space at either end: with it this is another id than the recipient's, and the author would be notified.");
        Rule(!string.IsNullOrWhiteSpace(message.Title) && message.Title.Length <= MaxTitleLength, "title", $"Give a title of 1 to {MaxTitleLength} characters, not blanks alone.");
        Rule(message.Body is null or { Length: <= MaxBodyLength }, "body", $"A body has at most {MaxBodyLength:N0} characters.");
        Rule(message.ConversationId is null or { Length: <= MaxIdLength }, "conversationId", $"At most {MaxIdLength} characters.");
        Rule(message.Tag is null or { Length: <= MaxIdLength }, "tag", $"At most {MaxIdLength} characters.");
        Rule(IsUrl(message.Url), "url", UrlRule);
        Rule(IsUrl(message.Icon), "icon", UrlRule);
        Rule(IsUrl(message.Image), "image", UrlRule);
        Rule(message.Actions is null || message.Actions.All(IsAction), "actions", $"Every action has an action and a title of 1 to {MaxIdLength} characters; its url and icon follow the rule of url.");
        Rule(message.Actions is null || message.Actions.Select(action => action?.Action).Distinct(StringComparer.Ordinal).Count() == message.Actions.Count, "actions", "Every action has a name of its own: by it the click is known.");
        Rule(message.AppBadge is null or >= 0, "appBadge", "A whole number, 0 or more.");
        Rule(!(message.Silent && message.Renotify), "silent", "A notification that is silent cannot alert anew: set silent or renotify, not both.");
        Rule(message.Urgency is null || Urgencies.Contains(message.Urgency), "urgency", $"One of {string.Join(", ", Urgencies)}.");
        Rule(message.TtlSeconds is null or (>= 0 and <= MaxTtlSeconds), "ttlSeconds", $"Whole seconds from 0 to {MaxTtlSeconds} (28 days).");
        if (faults.Count == 0)
        {
            Rule(PushPayload.Fits(message), "title", "With its URLs, actions and tag the notification exceeds what a push message carries (3,993 bytes, some of them for its receipt), even without its body: shorten them.");
        }

        return faults;
    }

    /// <summary>All the faults, each with its member, in one text.</summary>
    public static string TextOf(IReadOnlyDictionary<string, string> faults) => string.Join(" ", faults.Select(fault => $"{fault.Key}: {fault.Value}"));

    /// <exception cref="InvalidMessageException">The event has faults; the message names them all.</exception>
    internal static void ThrowIfInvalid(MessagePosted message)
    {
        var faults = Check(message);
        if (faults.Count > 0)
        {
            throw new InvalidMessageException("MessagePosted is not valid. " + TextOf(faults));
        }
    }

    private const string UrlRule = "An absolute http or https URL, or a path that starts with a single '/', of at most 2,000 characters, none a control character.";

    private static bool IsId(string? id) => id is { Length: > 0 and <= MaxIdLength } && !id.Any(char.IsControl);

    private static bool IsAction(NotificationAction? action) =>
        action is not null && IsId(action.Action) && IsId(action.Title) && IsUrl(action.Url) && IsUrl(action.Icon);

    private static bool IsUrl(string? url) =>
        url is null
        || (url.Length <= MaxUrlLength
            && !url.Any(char.IsControl)
            && ((url.StartsWith('/') && !url.StartsWith("//", StringComparison.Ordinal) && !url.StartsWith("/\\", StringComparison.Ordinal))
                || (Uri.TryCreate(url, UriKind.Absolute, out var absolute) && (absolute.Scheme == Uri.UriSchemeHttps || absolute.Scheme == Uri.UriSchemeHttp))));
}
