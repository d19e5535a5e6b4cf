using MassTransit;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Messaging.Outbox;
using Notify.Store;

namespace Notify.Subscriptions;

/// <summary>Deletes the subscription that a push service has declared gone.</summary>
public sealed class SubscriptionExpiredConsumer(SubscriptionRegistry registry) : IConsumer<SubscriptionExpired>
{
    /// <inheritdoc />
    public Task Consume(ConsumeContext<SubscriptionExpired> context) => registry.RemoveExpiredAsync(context.Message.SubscriptionId, context.CancellationToken);
}

/// <summary>Queue <c>subscription-expired</c>.</summary>
public sealed class SubscriptionExpiredConsumerDefinition : ConsumerDefinition<SubscriptionExpiredConsumer>
{
    /// <summary>Names the queue.</summary>
    public SubscriptionExpiredConsumerDefinition() => EndpointName = Messaging.Queues.SubscriptionExpired;

    /// <inheritdoc />
    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<SubscriptionExpiredConsumer> consumerConfigurator,
        IRegistrationContext context)
    {
        endpointConfigurator.RetryInPlace();
        endpointConfigurator.UseEntityFrameworkOutbox<NotifyDbContext>(context);
    }
}
