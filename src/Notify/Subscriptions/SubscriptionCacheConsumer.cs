using MassTransit;
using Notify.Contracts;

namespace Notify.Subscriptions;

/// <summary>Forgets the cached subscriptions of a user whose subscriptions changed, on whichever worker.</summary>
public sealed class SubscriptionCacheConsumer(SubscriptionCache cache) : IConsumer<SubscriptionRegistered>, IConsumer<SubscriptionRemoved>
{
    /// <inheritdoc />
    public Task Consume(ConsumeContext<SubscriptionRegistered> context) => Forget(context.Message.UserId);

    /// <inheritdoc />
    public Task Consume(ConsumeContext<SubscriptionRemoved> context) => Forget(context.Message.UserId);

    private Task Forget(string userId)
    {
        cache.Evict(userId);
        return Task.CompletedTask;
    }
}

/// <summary>Queue <c>subscription-cache</c>, of which every worker has its own.</summary>
public sealed class SubscriptionCacheConsumerDefinition : ConsumerDefinition<SubscriptionCacheConsumer>
{
    /// <summary>Names the queue.</summary>
    public SubscriptionCacheConsumerDefinition() => EndpointName = Messaging.Queues.SubscriptionCache;
}
