namespace Notify.LocalPushService;

/// <summary>
/// A fault on command: what becomes of a push message that passed every check. Exactly one of <see cref="Status"/>,
/// <see cref="Reset"/> and <see cref="Gone"/> is set, or <see cref="Delay"/> alone for a slow acceptance.
/// </summary>
public sealed record PushFault
{
    /// <summary>The endpoint it is for; null for any.</summary>
    public string? Endpoint { get; init; }

    /// <summary>The HTTP status to answer with, 200 to 599. The push message is not delivered, even with a 2xx.</summary>
    public int? Status { get; init; }

    /// <summary>The Retry-After header that goes with <see cref="Status"/>, seconds or HTTP date, sent verbatim.</summary>
    public string? RetryAfter { get; init; }

    /// <summary>How long to wait before anything else. Default zero. Seconds, as a number, in JSON.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Abort the connection without an answer.</summary>
    public bool Reset { get; init; }

    /// <summary>Answer 410 now and for ever; the subscription is forgotten and its user agent is not told.</summary>
    public bool Gone { get; init; }

    /// <summary>How often it strikes, at least 1; <see cref="int.MaxValue"/> = for ever. Default 1.</summary>
    public int Times { get; init; } = 1;

    /// <summary>The chance that it strikes a matching push message, above 0 up to 1; from a seeded generator. Default 1.</summary>
    public double Probability { get; init; } = 1;

    /// <summary>The body that goes with <see cref="Status"/>; null for the usual JSON error.</summary>
    public string? Body { get; init; }

    internal string? Problem()
    {
        int answers = (Status is null ? 0 : 1) + (Reset ? 1 : 0) + (Gone ? 1 : 0);
        return this switch
        {
            _ when answers > 1 => "Set one of Status, Reset and Gone.",
            _ when answers == 0 && Delay == TimeSpan.Zero => "Set Status, Reset, Gone or Delay.",
            { Status: < 200 or > 599 } => "Status must be 200 to 599.",
            { Delay.Ticks: < 0 } => "Delay must not be negative.",
            { Delay.TotalMilliseconds: > uint.MaxValue - 1 } => "Delay must not exceed 49 days.",
            { Times: < 1 } => "Times must be at least 1.",
            _ when Probability is not (> 0 and <= 1) => "Probability must be above 0 and at most 1.",
            { Status: null, RetryAfter: not null } or { Status: null, Body: not null } => "RetryAfter and Body go with Status.",
            { Status: 204 or 205 or 304, Body: not null } => "204, 205 and 304 have no body.",
            { RetryAfter: { } header } when header.AsSpan().ContainsAnyExceptInRange(' ', '~') => "RetryAfter must be printable ASCII.",
            _ => null,
        };
    }
}
