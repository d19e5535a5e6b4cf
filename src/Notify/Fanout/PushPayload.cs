using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Notify.Contracts;
using Notify.WebPush;

namespace Notify.Fanout;

/// <summary>
/// The JSON that the service worker gets: a Declarative Web Push message (<c>"web_push": 8030</c>), which browsers that know it show by
/// themselves and which service-worker.js shows elsewhere.
/// </summary>
public static class PushPayload
{
    private const string Ellipsis = "…";

    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What replaces what on a device: the event's tag, or its id.</summary>
    public static string TagOf(MessagePosted message) => string.IsNullOrEmpty(message.Tag) ? message.MessageId.ToString() : message.Tag;

    /// <summary>Whether the event fits a push message once its body is cut away.</summary>
    public static bool Fits(MessagePosted message) => Write(message, message.Body is null ? null : Ellipsis).Length <= PushMessage.MaxContentLength;

    /// <summary>Renders the event in at most <see cref="PushMessage.MaxContentLength"/> bytes of UTF-8, cutting the body where needed.</summary>
    public static string Render(MessagePosted message)
    {
        var payload = Write(message, message.Body);
        var body = message.Body ?? "";
        while (payload.Length > PushMessage.MaxContentLength && body.Length > 0)
        {
            // A character takes at least a byte and at most six, so this never cuts more than the excess by bytes.
            var excess = payload.Length - PushMessage.MaxContentLength;
            body = body[..^Math.Clamp((excess + 5) / 6, 1, body.Length)];
            if (body.Length > 0 && char.IsHighSurrogate(body[^1]))
            {
                body = body[..^1];
            }

            payload = Write(message, body.TrimEnd() + Ellipsis);
        }

        return Encoding.UTF8.GetString(payload);
    }

    private static ReadOnlySpan<byte> Write(MessagePosted message, string? body)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using var json = new Utf8JsonWriter(buffer, WriterOptions);
        json.WriteStartObject();
        json.WriteNumber("web_push", 8030);
        json.WriteStartObject("notification");
        json.WriteString("title", message.Title);
        WriteIfGiven(json, "body", body);
        WriteIfGiven(json, "navigate", message.Url);
        json.WriteString("tag", TagOf(message));
        WriteIfGiven(json, "icon", message.Icon);
        WriteIfGiven(json, "image", message.Image);
        if (message.RequireInteraction)
        {
            json.WriteBoolean("requireInteraction", true);
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
        json.WriteString("messageId", message.MessageId);
        WriteIfGiven(json, "conversationId", message.ConversationId);
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
