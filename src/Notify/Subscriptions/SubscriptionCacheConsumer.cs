using MassTransit;
using Notify.Contracts;

namespace Notify.Subscriptions;

/// <summary>Forgets the cached subscriptions of a user whose subscriptions changed on another worker.</summary>
public sealed class SubscriptionCacheConsumer(SubscriptionCache cache) : IConsumer<SubscriptionRegistered>, IConsumer<SubscriptionRemoved>, IConsumer<SubscriptionExpired>
{
    /// <inheritdoc />
    public Task Consume(ConsumeContext<SubscriptionRegistered> context) => Forget(context.Message.UserId);

    /// <inheritdoc />
    public Task Consume(ConsumeContext<SubscriptionRemoved> context) => Forget(context.Message.UserId);

    /// <inheritdoc />
    public Task Consume(ConsumeContext<SubscriptionExpired> context) => Forget(context.Message.UserId);

    private Task Forget(string userId)
    {
        cache.Evict(userId);
        return Task.CompletedTask;
    }
}
