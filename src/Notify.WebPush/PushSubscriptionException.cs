namespace Notify.WebPush;

/// <summary>
/// What a caller sent is no push subscription. The message says what is wrong and what to send, and never repeats the value:
/// an endpoint is a capability URL and the keys are secrets.
/// </summary>
public sealed class PushSubscriptionException : FormatException
{
    /// <summary>The JSON is malformed, a member is missing or of a wrong type, or the endpoint is no absolute http or https URL.</summary>
    public const string ParseError = "parse_error";

    /// <summary>The p256dh or auth key is not what RFC 8291 (section 3) asks for.</summary>
    public const string InvalidKeys = "invalid_keys";

    /// <summary>An error with one of the two codes above and a message fit for the sender's eyes.</summary>
    public PushSubscriptionException(string code, string message)
        : base(message) => Code = code;

    /// <summary>Stable, for programs: <see cref="ParseError"/> or <see cref="InvalidKeys"/>.</summary>
    public string Code { get; }
}
