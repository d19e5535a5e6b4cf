using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.WebPush;

namespace Notify.Fanout;

/// <summary>
/// The JSON that the service worker gets: a Declarative Web Push message (<c>"web_push": 8030</c>), which browsers that know it show by
/// themselves and which service-worker.js shows elsewhere.
/// </summary>
public static class PushPayload
{
    /// <summary>The most bytes of UTF-8 that <see cref="Render"/> returns; what is left of a push message is for <see cref="WithReceipt"/>.</summary>
    public const int MaxLength = PushMessage.MaxContentLength - ReceiptLength;

    private const string Ellipsis = "…";
    private const string ReceiptMember = ",\"receipt\":\"";
    private const string End = "\"}}}";

    // The member's name, the token, and the quote that ends it.
    private const int ReceiptLength = 13 + ReceiptTokens.Length;

    // Of what is longer than any that people use, a part is better than nothing.
    private const int LongestCharacter = 64;

    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = new WholeCharactersEncoder() };

    /// <summary>What replaces what on a device: the event's tag, or its id.</summary>
    public static string TagOf(MessagePosted message) => string.IsNullOrEmpty(message.Tag) ? message.MessageId.ToString() : message.Tag;

    /// <summary>Whether the event fits a push message once its body is cut away.</summary>
    public static bool Fits(MessagePosted message) => Write(message, DateTimeOffset.MaxValue, message.Body is null ? null : Ellipsis).Length <= MaxLength;

    /// <summary>Renders the event in at most <see cref="MaxLength"/> bytes of UTF-8, cutting the body where needed.</summary>
    /// <param name="message">The event.</param>
    /// <param name="publishedAt">When it was published; of two with one tag the later is shown, in whatever order they arrive. Null if that is not known.</param>
    public static string Render(MessagePosted message, DateTimeOffset? publishedAt)
    {
        var body = message.Body is { Length: > MaxLength } longer ? longer[..LengthOfWhole(longer, MaxLength)] : message.Body ?? "";
        var payload = Write(message, publishedAt, body.Length < message.Body?.Length ? body + Ellipsis : message.Body);
        while (payload.Length > MaxLength && body.Length > 0)
        {
            // A character takes at least a byte and at most six, so this cuts no more than the excess by bytes, and what is left of a character then.
            var excess = payload.Length - MaxLength;
            body = body[..LengthOfWhole(body, body.Length - Math.Clamp((excess + 5) / 6, 1, body.Length))];
            payload = Write(message, publishedAt, body.TrimEnd() + Ellipsis);
        }

        return Encoding.UTF8.GetString(payload);
    }

    /// <summary>Puts the token by which the service worker reports what became of a push into its payload, which comes from <see cref="Render"/>; another payload is left as it is.</summary>
    public static string WithReceipt(string payload, string token) =>
        payload.EndsWith(End, StringComparison.Ordinal) && Encoding.UTF8.GetByteCount(payload) <= MaxLength ? $"{payload.AsSpan(0, payload.Length - End.Length + 1)}{ReceiptMember}{token}{End}" : payload;

    // What a reader takes for one character, such as a flag or a family, may be many.
    private static int LengthOfWhole(string text, int atMost)
    {
        var whole = Math.Max(0, text.AsSpan(0, atMost).LastIndexOfAnyInRange(' ', '~'));
        while (whole < atMost && StringInfo.GetNextTextElementLength(text.AsSpan(whole)) is var next && whole + next <= atMost)
        {
            whole += next;
        }

        return atMost - whole <= LongestCharacter ? whole
            : char.IsHighSurrogate(text[atMost - 1]) ? atMost - 1 : atMost;
    }

    private static ReadOnlySpan<byte> Write(MessagePosted message, DateTimeOffset? publishedAt, string? body)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using var json = new Utf8JsonWriter(buffer, WriterOptions);
        json.WriteStartObject();
        json.WriteNumber("web_push", 8030);
        if (message.AppBadge is { } count)
        {
            json.WriteNumber("app_badge", count);
        }

        json.WriteStartObject("notification");
        json.WriteString("title", message.Title);
        WriteIfGiven(json, "body", body);

        // A browser that shows it by itself insists on one. Relative to the service worker's scope: the application.
        json.WriteString("navigate", message.Url ?? "./");
        json.WriteString("tag", TagOf(message));
        WriteIfGiven(json, "icon", message.Icon);
        WriteIfGiven(json, "image", message.Image);
        if (message.RequireInteraction)
        {
            json.WriteBoolean("requireInteraction", true);
        }

        if (message.Silent)
        {
            json.WriteBoolean("silent", true);
        }

        if (message.Renotify)
        {
            json.WriteBoolean("renotify", true);
        }

        if (message.AppBadge is { } badge)
        {
            // Safari reads a string here, the Push API a number beside the notification.
            json.WriteString("app_badge", badge.ToString(CultureInfo.InvariantCulture));
        }

        if (message.PostedAt is { } postedAt)
        {
            json.WriteNumber("timestamp", postedAt.ToUnixTimeMilliseconds());
        }

        if (message.Actions is { Count: > 0 } actions)
        {
            json.WriteStartArray("actions");
            foreach (var action in actions)
            {
                json.WriteStartObject();
                json.WriteString("action", action.Action);
                json.WriteString("title", action.Title);
                WriteIfGiven(json, "navigate", action.Url);
                WriteIfGiven(json, "icon", action.Icon);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteStartObject("data");
        if (publishedAt is { } moment)
        {
            json.WriteNumber("publishedAt", moment.ToUnixTimeMilliseconds());
        }

        // Last what ends with a quote: see WithReceipt.
        WriteIfGiven(json, "conversationId", message.ConversationId);
        json.WriteString("messageId", message.MessageId);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan;
    }

    private static void WriteIfGiven(Utf8JsonWriter json, string name, string? value)
    {
        if (value is not null)
        {
            json.WriteString(name, value);
        }
    }
}
