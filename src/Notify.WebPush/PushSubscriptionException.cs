namespace Notify.WebPush;

/// <summary>
/// What a caller sent is no push subscription. The message says what is wrong and what to send, and never repeats the value:
/// an endpoint is a capability URL and the keys are secrets.
/// </summary>
public sealed class PushSubscriptionException : FormatException
{
    /// <summary>The JSON is malformed, a member is missing or of a wrong type, or the endpoint is no absolute URL or has a fragment.</summary>
    public const string ParseError = "parse_error";

    /// <summary>The p256dh or auth key is not what RFC 8291 (section 3) asks for.</summary>
    public const string InvalidKeys = "invalid_keys";

    /// <summary>The endpoint is a URL, but never one to push to: of another scheme than http or https, or with user info.</summary>
    public const string EndpointNotAllowed = "endpoint_not_allowed";

    /// <summary>An error with one of the three codes above and a message fit for the sender's eyes.</summary>
    public PushSubscriptionException(string code, string message)
        : base(message) => Code = code;

    /// <summary>Stable, for programs: <see cref="ParseError"/>, <see cref="InvalidKeys"/> or <see cref="EndpointNotAllowed"/>.</summary>
    public string Code { get; }
}
