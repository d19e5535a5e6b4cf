using MassTransit;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Sending;
using Notify.Subscriptions;

namespace Notify.Messaging;

/// <summary>Registers the bus and what it carries messages to.</summary>
public static class MessagingSetup
{
    /// <summary>Adds every consumer with its queue, limits and retries; for the service's bus and for a test harness alike.</summary>
    public static IBusRegistrationConfigurator AddNotifyConsumers(this IBusRegistrationConfigurator bus)
    {
        bus.TryAddSingleton<OneAtATime>();
        bus.TryAddSingleton<PushSender>();
        bus.AddConsumer<UserFanoutConsumer, UserFanoutConsumerDefinition>();
        bus.AddConsumer<UserFanoutPartConsumer, UserFanoutPartConsumerDefinition>();
        bus.AddConsumer<SubscriptionSendConsumer, SubscriptionSendConsumerDefinition>();
        bus.AddConsumer<SubscriptionExpiredConsumer, SubscriptionExpiredConsumerDefinition>();
        bus.AddConsumer<DeliveryLogConsumer, DeliveryLogConsumerDefinition>();
        return bus;
    }

    internal static IServiceCollection AddNotifyMessaging(this IServiceCollection services)
    {
        // A message published before its queue is bound would vanish.
        services.AddOptions<MassTransitHostOptions>().Configure(options => options.WaitUntilStarted = true);
        return services.AddMassTransit(bus =>
        {
            // It would report to its makers what runs here.
            bus.DisableUsageTelemetry();
            bus.AddNotifyConsumers();
            bus.UsingInMemory((context, configurator) => configurator.ConfigureEndpoints(context));
        });
    }
}
