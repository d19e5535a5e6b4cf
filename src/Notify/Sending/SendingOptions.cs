using System.ComponentModel.DataAnnotations;

namespace Notify.Sending;

/// <summary>Section <c>Notify:Sending</c>.</summary>
public sealed class SendingOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:Sending";

    /// <summary>POSTs made for one push in all, 1 to 100; default 5.</summary>
    [Range(1, 100)]
    public int MaxAttempts { get; set; } = 5;

    /// <summary>Wait after the first failed attempt, doubled after each further one; 1 millisecond to 1 hour, default 1 second. A longer Retry-After wins.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>What the doubling stops at, 1 millisecond to 1 day; default 1 hour. Not below <see cref="RetryDelay"/>.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "1.00:00:00")]
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Ordered lanes of the send stage on RabbitMQ, 1 to 256; default 8. The in-memory bus has one.</summary>
    [Range(1, 256)]
    public int Partitions { get; set; } = 8;

    /// <summary>Pushes in flight at once to one push service in one process, 1 to 10,000; default 256.</summary>
    [Range(1, 10_000)]
    public int Concurrency { get; set; } = 256;

    /// <summary>Time for one POST from connecting to the answer, 100 milliseconds to 5 minutes; default 10 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);
}
