namespace Notify.WebPush;

/// <summary>What became of one POST to a push service. Every answer has exactly one of the six names below.</summary>
/// <param name="Status">The HTTP status; null when no answer came.</param>
/// <param name="Reason">
/// What the push service or the connection said: printable, at most 200 characters, without the endpoint and without tokens. Null when
/// nothing was said.
/// </param>
public abstract record PushOutcome(int? Status, string? Reason)
{
    /// <summary>The push service took the message (RFC 8030, section 5).</summary>
    /// <param name="Status">201; also 200, 202, 204.</param>
    /// <param name="TimeToLive">How long the service keeps it, which may be less than asked for (RFC 8030, section 5.2); null when it did not say.</param>
    public sealed record Accepted(int? Status, TimeSpan? TimeToLive) : PushOutcome(Status, null);

    /// <summary>The subscription is gone for good (RFC 8030, section 7.3): of the six outcomes the one upon which to delete it.</summary>
    /// <param name="Status">404 or 410.</param>
    /// <param name="Reason">See <see cref="PushOutcome"/>.</param>
    public sealed record Expired(int? Status, string? Reason) : PushOutcome(Status, Reason);

    /// <summary>Throttled, overloaded or out of reach: the same message may succeed later (RFC 8030, section 8.4).</summary>
    /// <param name="Status">406, 408, 425, 429, 5xx; null when no answer came in time.</param>
    /// <param name="Reason">See <see cref="PushOutcome"/>.</param>
    /// <param name="RetryAfter">
    /// How long the service wants to be left alone, 0 to 30 days; zero means at once. Null when it did not say: back off as you see fit.
    /// </param>
    public sealed record RetryLater(int? Status, string? Reason, TimeSpan? RetryAfter) : PushOutcome(Status, Reason);

    /// <summary>The push service will never take this message; the subscription is not at fault and stays.</summary>
    /// <param name="Status">400 and every other 4xx, or 3xx: redirects are not followed.</param>
    /// <param name="Reason">See <see cref="PushOutcome"/>; "redirected" for 3xx.</param>
    public sealed record Rejected(int? Status, string? Reason) : PushOutcome(Status, Reason);

    /// <summary>
    /// The push service does not take our token for this subscription (RFC 8292, section 4.2): wrong subject, clock or key pair. The
    /// operator's to mend; the subscription stays.
    /// </summary>
    /// <param name="Status">401 or 403.</param>
    /// <param name="Reason">See <see cref="PushOutcome"/>.</param>
    public sealed record Unauthorised(int? Status, string? Reason) : PushOutcome(Status, Reason);

    /// <summary>The body is too large for this push service (RFC 8030, section 7.2); it never fits, so no retry.</summary>
    /// <param name="Status">413.</param>
    /// <param name="Reason">See <see cref="PushOutcome"/>.</param>
    public sealed record TooLarge(int? Status, string? Reason) : PushOutcome(Status, Reason);
}
