using System.ComponentModel.DataAnnotations;

namespace Notify.Operations;

/// <summary>
/// Section <c>Notify:RateLimits</c>: requests that one caller may make of one process. One more is answered with 429 and Retry-After. In Development there are no limits unless
/// the section is given: there a machine is one caller, and its load tests are no attack.
/// </summary>
public sealed class RateLimitsOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:RateLimits";

    /// <summary>Requests of one user in a <see cref="Window"/>, 0 to 1,000,000; default 300. 0 switches the limit off.</summary>
    [Range(0, 1_000_000)]
    public int PerUser { get; set; } = 300;

    /// <summary>Requests of one publisher, for publishing and asking after deliveries, in a <see cref="Window"/>, 0 to 1,000,000; default 6,000. 0 switches the limit off.</summary>
    [Range(0, 1_000_000)]
    public int PerPublisher { get; set; } = 6_000;

    /// <summary>
    /// Requests from one address (of IPv6, one /64 network) whose token names no user or that have none, in a <see cref="Window"/>, 0 to 1,000,000; default 600. 0 switches the limit off.
    /// </summary>
    [Range(0, 1_000_000)]
    public int PerAddress { get; set; } = 600;

    /// <summary>The time in which requests are counted, 1 second to 1 hour; default 1 minute.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Window { get; set; } = TimeSpan.FromMinutes(1);
}
