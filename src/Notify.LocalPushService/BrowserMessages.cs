using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Notify.LocalPushService;

/// <summary>What the push service says to a user agent, in Mozilla's client protocol: one JSON object a text message.</summary>
internal static class BrowserMessages
{
    /// <summary>Ping and its answer.</summary>
    public static readonly byte[] Ping = "{}"u8.ToArray();

    public static byte[] Hello(string userAgentId) => JsonSerializer.SerializeToUtf8Bytes(
        new { messageType = "hello", status = 200, uaid = userAgentId, use_webpush = true, broadcasts = new { } });

    public static byte[] Registered(string channelId, string endpoint) => JsonSerializer.SerializeToUtf8Bytes(
        new { messageType = "register", status = 200, channelID = channelId, pushEndpoint = endpoint });

    public static byte[] NotRegistered(string channelId) => JsonSerializer.SerializeToUtf8Bytes(
        new { messageType = "register", status = 400, channelID = channelId });

    public static byte[] Unregistered(string channelId) => JsonSerializer.SerializeToUtf8Bytes(
        new { messageType = "unregister", status = 200, channelID = channelId });

    public static void WriteNotification(Utf8JsonWriter writer, StoredPush push)
    {
        writer.WriteStartObject();
        writer.WriteString("messageType"u8, "notification"u8);
        writer.WriteString("channelID"u8, push.Subscription.ChannelId);
        writer.WriteString("version"u8, push.Version);
        writer.WriteNumber("ttl"u8, push.Ttl);
        if (push.Topic is not null)
        {
            writer.WriteString("topic"u8, push.Topic);
        }

        if (!push.Body.IsEmpty)
        {
            byte[] data = ArrayPool<byte>.Shared.Rent(Base64Url.GetEncodedLength(push.Body.Length));
            int written = Base64Url.EncodeToUtf8(push.Body.Span, data);
            writer.WriteString("data"u8, data.AsSpan(0, written));
            ArrayPool<byte>.Shared.Return(data);
            writer.WriteStartObject("headers"u8);
            writer.WriteString("encoding"u8, "aes128gcm"u8);
            writer.WriteEndObject();
        }

        writer.WriteEndObject();
        writer.Flush();
    }

    public static string? Text(JsonElement message, string name) =>
        message.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>The channel, a UUID.</summary>
    public static bool TryReadChannel(JsonElement message, [NotNullWhen(true)] out string? channelId)
    {
        channelId = Text(message, "channelID");
        return Guid.TryParseExact(channelId, "D", out _);
    }

    /// <summary>The application server key, base64url with or without padding; true with null when there is none.</summary>
    public static bool TryReadKey(JsonElement message, out byte[]? applicationServerKey)
    {
        applicationServerKey = null;
        if (!message.TryGetProperty("key", out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return true;
        }

        string? text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        if (text is null || !Base64Url.IsValid(text))
        {
            return false;
        }

        applicationServerKey = Base64Url.DecodeFromChars(text);
        return P256.IsOnCurve(applicationServerKey);
    }
}
