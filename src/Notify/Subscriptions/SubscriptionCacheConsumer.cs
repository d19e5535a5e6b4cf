using MassTransit;
using Notify.Contracts;

namespace Notify.Subscriptions;

/// <summary>Forgets the cached subscriptions of a user whose subscriptions changed, on whichever worker.</summary>
internal sealed class SubscriptionCacheConsumer(SubscriptionCache cache) : IConsumer<SubscriptionRegistered>, IConsumer<SubscriptionRemoved>
{
    public Task Consume(ConsumeContext<SubscriptionRegistered> context) => Forget(context.Message.UserId);

    public Task Consume(ConsumeContext<SubscriptionRemoved> context) => Forget(context.Message.UserId);

    private Task Forget(string userId)
    {
        cache.Evict(userId);
        return Task.CompletedTask;
    }
}

/// <summary>Queue <c>subscription-cache</c>, of which every worker has its own.</summary>
internal sealed class SubscriptionCacheConsumerDefinition : ConsumerDefinition<SubscriptionCacheConsumer>
{
    public SubscriptionCacheConsumerDefinition() => EndpointName = Messaging.Queues.SubscriptionCache;
}
