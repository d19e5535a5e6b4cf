using Microsoft.Extensions.Options;

namespace Notify.Sending;

/// <summary>When a failed push is tried again.</summary>
public sealed class RetrySchedule(IOptions<SendingOptions> options)
{
    private const double Jitter = 0.25;

    /// <summary>
    /// The wait before the next attempt: exponential with up to a quarter of jitter on top, never more than <see cref="SendingOptions.MaxRetryDelay"/>;
    /// or what the push service asked for where that is longer, with a little jitter so that its clients do not all return at once.
    /// </summary>
    /// <param name="attempts">POSTs made so far, 1 or more.</param>
    /// <param name="retryAfter">The push service's Retry-After.</param>
    public TimeSpan NextDelay(int attempts, TimeSpan? retryAfter)
    {
        var settings = options.Value;

        // In ticks: after many attempts it is more than a TimeSpan holds.
        var backOff = settings.RetryDelay.Ticks * Math.Pow(2, attempts - 1) * (1 + (Jitter * Random.Shared.NextDouble()));
        var own = backOff < settings.MaxRetryDelay.Ticks ? TimeSpan.FromTicks((long)backOff) : settings.MaxRetryDelay;
        var asked = (retryAfter ?? TimeSpan.Zero) * (1 + (0.05 * Random.Shared.NextDouble()));
        return own > asked ? own : asked;
    }
}
