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

    /// <summary>
    /// Days for which a push service must have failed at a subscription, with nothing accepted, before it is taken to be gone; 1 to 3,650, default 90; null, that
    /// is empty, for never. What counts is what <see cref="SubscriptionAgeing"/> says.
    /// </summary>
    [Range(1, 3650)]
    public int? ExpireAfterFailingDays { get; set; } = 90;

    /// <summary>How long a user's subscriptions stay in memory, 1 second to 1 day; default 5 minutes. A change evicts at once.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan CacheFor { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// What may stay in memory, in mebibytes of the subscriptions' JSON, of which one is half a kibibyte and takes two or three times as much; 1 to 1,048,576, default 256. Beyond it what was not asked for
    /// the longest is forgotten first.
    /// </summary>
    [Range(1, 1_048_576)]
    public int CacheMegabytes { get; set; } = 256;
}
