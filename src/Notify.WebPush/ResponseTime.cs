using System.Globalization;
using System.Net.Http.Headers;

namespace Notify.WebPush;

/// <summary>Reads spans of time from the headers of an answer. What is not well-formed counts as not given.</summary>
internal static class ResponseTime
{
    /// <summary>RFC 9111, section 1.2.2: a number too great to hold is taken for 2^31 seconds.</summary>
    private const long MaxDeltaSeconds = 1L << 31;

    /// <summary>RFC 8030, section 5.2: TTL in whole seconds.</summary>
    internal static TimeSpan? ReadTimeToLive(HttpResponseHeaders headers) => DeltaSeconds(First(headers, "TTL"));

    /// <summary>RFC 9110, section 10.2.3: Retry-After in seconds or as an HTTP-date; a date that is past means zero.</summary>
    internal static TimeSpan? ReadRetryAfter(HttpResponseHeaders headers, DateTimeOffset now)
    {
        var value = First(headers, "Retry-After");
        if (DeltaSeconds(value) is { } delta)
        {
            return delta;
        }

        return RetryConditionHeaderValue.TryParse(value, out var parsed) && parsed.Date is { } date
            ? (date > now ? date - now : TimeSpan.Zero)
            : null;
    }

    private static TimeSpan? DeltaSeconds(string? value)
    {
        if (string.IsNullOrEmpty(value) || value.AsSpan().ContainsAnyExceptInRange('0', '9'))
        {
            return null;
        }

        var seconds = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : MaxDeltaSeconds;
        return TimeSpan.FromSeconds(Math.Min(seconds, MaxDeltaSeconds));
    }

    // The typed properties of HttpResponseHeaders drop numbers past 2^31 and know no TTL.
    private static string? First(HttpResponseHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out var values) ? values.First() : null;
}
