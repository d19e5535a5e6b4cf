namespace Notify.Messaging;

/// <summary>The queues' names, set by hand: a rename is a change of the wire.</summary>
public static class Queues
{
    /// <summary>Takes <see cref="Contracts.MessagePosted"/>.</summary>
    public const string UserFanout = "user-fanout";

    /// <summary>Takes <see cref="Fanout.UserFanoutPart"/>; on RabbitMQ a queue for each lane, with its number.</summary>
    public const string UserFanoutPart = "user-fanout-part";

    /// <summary>Takes the <see cref="Fanout.UserFanoutPart"/>s of broadcasts; on RabbitMQ a queue for each lane, with its number.</summary>
    public const string UserFanoutBroadcast = "user-fanout-broadcast";

    /// <summary>Takes <see cref="Contracts.SendPush"/>; on RabbitMQ a queue for each lane, with its number, in memory only what was held back.</summary>
    public const string SubscriptionSend = "subscription-send";

    /// <summary>Takes <see cref="Contracts.SubscriptionExpired"/>.</summary>
    public const string SubscriptionExpired = "subscription-expired";

    /// <summary>Takes what changes a user's subscriptions; on RabbitMQ a queue for each worker.</summary>
    public const string SubscriptionCache = "subscription-cache";

    /// <summary>Takes the events that become <see cref="Deliveries.Delivery"/> rows.</summary>
    public const string DeliveryLog = "delivery-log";

    /// <summary>Takes <see cref="Dashboard.WorkerReport"/>; on RabbitMQ a queue for each worker.</summary>
    public const string WorkerReport = "worker-report";

    /// <summary>The stages that have a queue for each lane.</summary>
    internal static readonly string[] WithLanes = [UserFanoutPart, UserFanoutBroadcast, SubscriptionSend];

    /// <summary>The others of the way that every worker shares.</summary>
    internal static readonly string[] WithoutLanes = [UserFanout, SubscriptionExpired, DeliveryLog];
}
