using MassTransit;
using Microsoft.EntityFrameworkCore;
using Notify.Contracts;
using Notify.Store;

namespace Notify.Subscriptions;

/// <summary>Deletes the subscription that a push service has declared gone.</summary>
public sealed class SubscriptionExpiredConsumer(NotifyDbContext db, SubscriptionCache cache) : IConsumer<SubscriptionExpired>
{
    /// <inheritdoc />
    public async Task Consume(ConsumeContext<SubscriptionExpired> context)
    {
        var expired = context.Message;
        var row = await db.Subscriptions.FirstOrDefaultAsync(subscription => subscription.Id == expired.SubscriptionId, context.CancellationToken);
        if (row is null)
        {
            return;
        }

        await db.Subscriptions.Where(subscription => subscription.Id == row.Id).ExecuteDeleteAsync(context.CancellationToken);
        cache.Evict(row.UserId);
    }
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
        IRegistrationContext context) => endpointConfigurator.UseMessageRetry(Messaging.Retries.InPlace);
}
