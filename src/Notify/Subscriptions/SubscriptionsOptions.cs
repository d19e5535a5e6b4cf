using System.ComponentModel.DataAnnotations;

namespace Notify.Subscriptions;

/// <summary>Section <c>Notify:Subscriptions</c>.</summary>
public sealed class SubscriptionsOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:Subscriptions";

    /// <summary>Push subscriptions that one user may have, 1 to 10,000; default 100. One more is refused with 422.</summary>
    [Range(1, 10_000)]
    public int MaxPerUser { get; set; } = 100;

    /// <summary>How long a user's subscriptions stay in memory, 1 second to 1 day; default 5 minutes. A change evicts at once.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan CacheFor { get; set; } = TimeSpan.FromMinutes(5);
}
