using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Notify.Dashboard;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Messaging.InMemory;
using Notify.Messaging.Outbox;
using Notify.Messaging.RabbitMq;
using Notify.Store;
using Notify.Subscriptions;
using Notify.Telemetry;

namespace Notify.Messaging;

/// <summary>Registers the bus and what it carries messages to.</summary>
public static class MessagingSetup
{
    /// <summary>Adds every consumer with its queue, limits and retries; for the service's bus and for a test harness alike.</summary>
    public static IBusRegistrationConfigurator AddNotifyConsumers(this IBusRegistrationConfigurator bus)
    {
        bus.AddMetrics();
        bus.TryAddSingleton<NotifyMetrics>();
        bus.TryAddSingleton<Lanes>();
        bus.TryAddSingleton<MailboxPushSender>();
        bus.TryAddSingleton<PushSender>(provider => provider.GetRequiredService<MailboxPushSender>());

        // MassTransit has added its own before, so that the mailboxes end before the bus does.
        bus.AddHostedService(provider => provider.GetRequiredService<MailboxPushSender>());
        bus.AddConsumer<UserFanoutConsumer, UserFanoutConsumerDefinition>();
        bus.AddConsumer<UserFanoutPartConsumer, UserFanoutPartConsumerDefinition>();
        bus.AddConsumer<UserFanoutBroadcastConsumer, UserFanoutBroadcastConsumerDefinition>();
        bus.AddConsumer<MailboxConsumer, MailboxConsumerDefinition>();
        bus.AddConsumer<SubscriptionExpiredConsumer, SubscriptionExpiredConsumerDefinition>();
        bus.AddConsumer<SubscriptionCacheConsumer, SubscriptionCacheConsumerDefinition>();
        bus.AddConsumer<DeliveryLogConsumer, DeliveryLogConsumerDefinition>();
        bus.AddConsumer<WorkerReportConsumer, WorkerReportConsumerDefinition>();
        return bus;
    }

    internal static IServiceCollection AddNotifyMessaging(this IServiceCollection services, IConfiguration configuration)
    {
        // A message published before its queue is bound would vanish.
        services.AddOptions<MassTransitHostOptions>().Configure(options => options.WaitUntilStarted = true);
        var address = TransportOf(configuration) == TransportKind.RabbitMq ? RabbitMqAddress.Parse(configuration.GetConnectionString(RabbitMqAddress.ConnectionName)) : null;
        if (address is not null)
        {
            services.AddNotifyRabbitMq(address);
        }

        return services.AddMassTransit(bus =>
        {
            // It would report to its makers what runs here.
            bus.DisableUsageTelemetry();
            bus.AddNotifyConsumers();
            bus.AddNotifyOutbox(StoreSetup.KindOf(configuration));
            if (address is not null)
            {
                bus.UseNotifyRabbitMq(address, configuration);
            }
            else
            {
                bus.UsingInMemory((context, configurator) =>
                {
                    configurator.ConfigureMessages(configuration);
                    configurator.ConfigureEndpoints(context);
                });
            }
        });
    }

    /// <summary>Adds the outbox of the store, for the service's bus and for a test harness alike.</summary>
    internal static void AddNotifyOutbox(this IBusRegistrationConfigurator bus, StoreKind store) => bus.AddEntityFrameworkOutbox<NotifyDbContext>(outbox =>
    {
        switch (store)
        {
            case StoreKind.PostgreSql:
                outbox.UsePostgres();
                break;
            case StoreKind.SqlServer:
                outbox.UseSqlServer();
                break;
            default:
                outbox.UseSqlite();
                break;
        }

        outbox.UseBusOutbox();
    });

    /// <summary>What holds for messages on either bus: they carry whether their trace is sampled, and none of the white space that MassTransit lays JSON out with, a tenth or more of their bytes.</summary>
    /// <remarks>MassTransit has one set of JSON options in a process.</remarks>
    internal static void ConfigureMessages(this IBusFactoryConfigurator bus, IConfiguration configuration)
    {
        bus.UseSamplingDecisions(configuration);
        bus.ConfigureJsonSerializerOptions(options => new JsonSerializerOptions(options) { WriteIndented = false });
    }

    /// <summary>The bus that is set; a value that names none is the options' to refuse.</summary>
    internal static TransportKind TransportOf(IConfiguration configuration) =>
        Enum.TryParse<TransportKind>(configuration[$"{NotifyOptions.Section}:{nameof(NotifyOptions.Transport)}"], ignoreCase: true, out var kind) ? kind : TransportKind.InMemory;
}
