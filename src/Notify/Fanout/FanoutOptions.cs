using System.ComponentModel.DataAnnotations;

namespace Notify.Fanout;

/// <summary>Section <c>Notify:Fanout</c>.</summary>
public sealed class FanoutOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:Fanout";

    /// <summary>Recipients that one command carries, 1 to 5,000; default 500. A larger audience is cut into several.</summary>
    [Range(1, 5_000)]
    public int RecipientsPerPart { get; set; } = 500;

    /// <summary>Ordered lanes of the second stage on RabbitMQ, and as many for broadcasts, 1 to 256; default 4. The in-memory bus has one.</summary>
    [Range(1, 256)]
    public int Partitions { get; set; } = 4;

    /// <summary>How long a message id is remembered at the least, so that a second publication is dropped; 1 minute to 30 days, default 1 day. The delivery log keeps it as long as it is kept itself.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan DuplicateWindow { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How long a push is worth sending when its event does not say (RFC 8030 section 5.2); 1 second to 28 days, default 1 day.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "28.00:00:00")]
    public TimeSpan DefaultTtl { get; set; } = TimeSpan.FromDays(1);
}
