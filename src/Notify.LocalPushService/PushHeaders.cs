using System.Buffers;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Notify.LocalPushService;

/// <summary>The headers of a push message: TTL in seconds and topic (RFC 8030, sections 5.2 to 5.4).</summary>
internal readonly record struct PushHeaders(int Ttl, string? Topic)
{
    /// <summary>30 days in seconds, the longest any vendor grants.</summary>
    public const int MaxTtl = 2_592_000;

    private static readonly SearchValues<char> s_base64Url =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    public static Refusal? Read(IHeaderDictionary headers, bool hasBody, out PushHeaders pushHeaders)
    {
        pushHeaders = default;
        StringValues ttl = headers["TTL"];
        if (ttl.Count == 0)
        {
            return Refusal.MissingTtl;
        }

        if (ttl.Count != 1 || !int.TryParse(ttl[0], NumberStyles.None, CultureInfo.InvariantCulture, out int seconds) || seconds > MaxTtl)
        {
            return Refusal.BadTtl;
        }

        StringValues topic = headers["Topic"];
        if (topic.Count > 1 || (topic.Count == 1 && !IsTopic(topic[0])))
        {
            return Refusal.BadTopic;
        }

        StringValues urgency = headers["Urgency"];
        if (urgency.Count > 1 || (urgency.Count == 1 && urgency[0] is not ("very-low" or "low" or "normal" or "high")))
        {
            return Refusal.BadUrgency;
        }

        if (hasBody && (headers.ContentEncoding.Count != 1 || headers.ContentEncoding[0] != "aes128gcm"))
        {
            return Refusal.BadEncoding;
        }

        if (headers.ContainsKey("Encryption") || headers.ContainsKey("Crypto-Key"))
        {
            return Refusal.LegacyHeaders;
        }

        pushHeaders = new PushHeaders(seconds, topic.Count == 1 ? topic[0] : null);
        return null;
    }

    // No base64url text has a length of 1 modulo 4; Apple refuses such a topic.
    private static bool IsTopic(ReadOnlySpan<char> topic) =>
        topic.Length is >= 1 and <= 32 && topic.Length % 4 != 1 && !topic.ContainsAnyExcept(s_base64Url);
}
