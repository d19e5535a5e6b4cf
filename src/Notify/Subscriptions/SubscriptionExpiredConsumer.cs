using MassTransit;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Messaging.Outbox;
using Notify.Store;

namespace Notify.Subscriptions;

/// <summary>Deletes a subscription that is gone: by its push service's word, by its <c>expirationTime</c>, or by <see cref="SubscriptionAgeing"/>.</summary>
internal sealed class SubscriptionExpiredConsumer(SubscriptionRegistry registry) : IConsumer<SubscriptionExpired>
{
    public Task Consume(ConsumeContext<SubscriptionExpired> context) => registry.RemoveExpiredAsync(context.Message, context.CancellationToken);
}

/// <summary>Queue <c>subscription-expired</c>.</summary>
internal sealed class SubscriptionExpiredConsumerDefinition : ConsumerDefinition<SubscriptionExpiredConsumer>
{
    public SubscriptionExpiredConsumerDefinition() => EndpointName = Messaging.Queues.SubscriptionExpired;

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<SubscriptionExpiredConsumer> consumerConfigurator,
        IRegistrationContext context)
    {
        endpointConfigurator.RetryInPlace();
        endpointConfigurator.UseEntityFrameworkOutbox<NotifyDbContext>(context);
    }
}
