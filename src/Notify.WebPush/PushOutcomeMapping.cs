using System.Net.Http.Headers;

namespace Notify.WebPush;

/// <summary>The one place where an answer, or the want of one, becomes an outcome.</summary>
internal static class PushOutcomeMapping
{
    /// <summary>Longer than any push message lives at a push service (RFC 8030, section 5.2 leaves the bound to the service; 30 days is Mozilla's).</summary>
    internal static readonly TimeSpan MaxRetryAfter = TimeSpan.FromDays(30);

    /// <summary>Second-hand, not seen in an answer: FCM means 60 seconds by a 429 without Retry-After.</summary>
    private static readonly TimeSpan FcmRetryAfter = TimeSpan.FromSeconds(60);

    // The second serves Chromium as Linux distributions build it.
    private static readonly string[] FcmHosts = ["fcm.googleapis.com", "jmt17.google.com"];

    /// <summary>Mozilla autopush, errno with a 503: 201 asks to back off, 202 allows a retry at once.</summary>
    private const int MozillaRetryAtOnce = 202;

    /// <summary>Maps an answer. Another 2xx than the four known is taken as accepted: to send again would show the message twice.</summary>
    /// <param name="status">The HTTP status.</param>
    /// <param name="headers">The headers of the answer.</param>
    /// <param name="error">What the body says; nothing for 2xx and 3xx.</param>
    /// <param name="host">The push service's host.</param>
    /// <param name="now">The time against which an HTTP-date counts.</param>
    internal static PushOutcome Map(int status, HttpResponseHeaders headers, PushServiceError error, string host, DateTimeOffset now) => status switch
    {
        >= 200 and <= 299 => new PushOutcome.Accepted(status, ResponseTime.ReadTimeToLive(headers)),
        404 or 410 => new PushOutcome.Expired(status, error.Reason),
        401 or 403 => new PushOutcome.Unauthorised(status, error.Reason),
        413 => new PushOutcome.TooLarge(status, error.Reason),

        // 406 is how WNS throttles; 425 is a request to try again (RFC 8470, section 5.2).
        406 or 408 or 425 or 429 => new PushOutcome.RetryLater(status, error.Reason, RetryAfter(status, headers, error, host, now)),
        >= 300 and <= 399 => new PushOutcome.Rejected(status, "redirected"),
        >= 400 and <= 499 => new PushOutcome.Rejected(status, error.Reason),

        // 5xx, and what is no status at all, to be taken for 5xx (RFC 9110, section 15).
        _ => new PushOutcome.RetryLater(status, error.Reason, RetryAfter(status, headers, error, host, now)),
    };

    /// <summary>No answer within the time allowed.</summary>
    internal static PushOutcome MapTimeout() => new PushOutcome.RetryLater(null, "timed out", null);

    /// <summary>No connection, a broken one, or an answer that is not HTTP. The exception's message may name what it must not.</summary>
    internal static PushOutcome MapFailure(HttpRequestException exception) => new PushOutcome.RetryLater(
        null, exception.InnerException is ConnectionNotAllowedException refusal ? $"connection not allowed: {refusal.Message}" : $"connection failed ({exception.HttpRequestError})", null);

    private static TimeSpan? RetryAfter(int status, HttpResponseHeaders headers, PushServiceError error, string host, DateTimeOffset now)
    {
        if (ResponseTime.ReadRetryAfter(headers, now) is { } asked)
        {
            return asked < MaxRetryAfter ? asked : MaxRetryAfter;
        }

        return status switch
        {
            429 when FcmHosts.Contains(host) => FcmRetryAfter,
            503 when error.Errno == MozillaRetryAtOnce => TimeSpan.Zero,
            _ => null,
        };
    }
}
