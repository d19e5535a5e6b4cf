using System.Buffers;

namespace Notify.WebPush;

/// <summary>What goes to a push service: the content before encryption, and how long, how urgent, in whose place (RFC 8030, section 5).</summary>
public sealed class PushMessage
{
    /// <summary>
    /// Bytes of content that every push service takes: a body of 4096 (RFC 8030, section 7.2) less the header of 86, the tag of 16 and
    /// the delimiter of 1 (RFC 8291, section 4).
    /// </summary>
    public const int MaxContentLength = 3993;

    private const int MaxTopicLength = 32;

    private static readonly SearchValues<char> Base64UrlAlphabet =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    /// <summary>A push message of 0 to 3993 bytes. Empty content makes a push without payload: no body and no Content-Encoding.</summary>
    /// <exception cref="ArgumentException">The content is longer than <see cref="MaxContentLength"/>.</exception>
    public PushMessage(ReadOnlyMemory<byte> content)
    {
        if (content.Length > MaxContentLength)
        {
            throw new ArgumentException($"The content must be at most {MaxContentLength} bytes; it is {content.Length}.", nameof(content));
        }

        Content = content;
    }

    /// <summary>The content in clear.</summary>
    public ReadOnlyMemory<byte> Content { get; }

    /// <summary>
    /// How long the push service keeps the message for a user agent that is away (RFC 8030, section 5.2); sent in whole seconds, rounded
    /// down. Zero, the default, means: deliver at once or not at all. More than 30 days is shortened by some services and refused by others.
    /// </summary>
    /// <exception cref="ArgumentException">The value is negative.</exception>
    public TimeSpan TimeToLive
    {
        get;
        init => field = value >= TimeSpan.Zero
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), "TimeToLive must be zero or longer.");
    }

    /// <summary>How much the message matters (RFC 8030, section 5.3). Default: <see cref="PushUrgency.Normal"/>.</summary>
    /// <exception cref="ArgumentException">The value is none of the four.</exception>
    public PushUrgency Urgency
    {
        get;
        init => field = Enum.IsDefined(value)
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), "Urgency must be VeryLow, Low, Normal or High.");
    } = PushUrgency.Normal;

    /// <summary>
    /// A waiting message of the same topic is replaced by this one (RFC 8030, section 5.4): 1 to 32 characters of base64url whose number is
    /// not 1 more than a multiple of 4, which Apple refuses. Null for none. <see cref="PushTopic.From"/> makes one of any text.
    /// </summary>
    /// <exception cref="ArgumentException">The value is no such text.</exception>
    public string? Topic
    {
        get;
        init => field = IsTopic(value)
            ? value
            : throw new ArgumentException(
                $"Topic must be 1 to {MaxTopicLength} characters of base64url, and not 1, 5, 9, ... of them: make it with PushTopic.From.", nameof(value));
    }

    private static bool IsTopic(string? topic) =>
        topic is null
        || (topic.Length is >= 1 and <= MaxTopicLength && topic.Length % 4 != 1 && !topic.AsSpan().ContainsAnyExcept(Base64UrlAlphabet));
}
