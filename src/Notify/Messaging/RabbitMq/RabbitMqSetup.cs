using MassTransit;
using Notify.Contracts;
using Notify.Dashboard;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Sending;
using Notify.Subscriptions;
using Notify.Telemetry;

namespace Notify.Messaging.RabbitMq;

/// <summary>The bus on RabbitMQ: which queues there are, and which consumer handles them. docs/rabbitmq.md has the picture.</summary>
internal static class RabbitMqSetup
{
    public static IServiceCollection AddNotifyRabbitMq(this IServiceCollection services, RabbitMqAddress address) => services
        .AddSingleton(address)
        .AddSingleton<WorkerNumbers>()
        .AddSingleton<QueueDepths>()
        .AddSingleton<OneAtATime>()
        .AddSingleton<LaneStop>()
        .AddHostedService(provider => provider.GetRequiredService<LaneStop>())
        .AddSingleton<PushSender, LanePushSender>()
        .AddSingleton<ListenedEvents<PushAccepted>>()
        .AddSingleton<ListenedEvents<PushDeferred>>()
        .AddHostedService<LaneCheck>()
        .AddReceiveEndpointObserver<ReconnectsEverySecond>();

    public static void UseNotifyRabbitMq(this IBusRegistrationConfigurator bus, RabbitMqAddress address, IConfiguration configuration)
    {
        bus.AddConsumer<SubscriptionSendConsumer, SubscriptionSendConsumerDefinition>();
        bus.UsingRabbitMq((context, rabbit) =>
        {
            rabbit.ConfigureMessages(configuration);
            Configure(context, rabbit, address);
        });
    }

    private static void Configure(IBusRegistrationContext context, IRabbitMqBusFactoryConfigurator rabbit, RabbitMqAddress address)
    {
        address.Configure(rabbit);

        // Events for which no queue of ours is bound, and so their exchanges declared: whoever listens finds those before the first push.
        rabbit.Publish<PushAccepted>();
        rabbit.Publish<PushDeferred>();
        rabbit.DeployPublishTopology = true;

        // Else nobody could look into a lane's error queue while another does.
        rabbit.SendTopology.ConfigureErrorSettings = settings => settings.SetQueueArgument("x-single-active-consumer", null);
        rabbit.SendTopology.ConfigureDeadLetterSettings = settings => settings.SetQueueArgument("x-single-active-consumer", null);

        AddLane(context, rabbit, Queues.UserFanout, lanes: 1, lane: 0, endpoint =>
        {
            DropLargeHeaders(context, endpoint);
            endpoint.AddDeserializer(new EventEnvelope(), isDefault: true);
            endpoint.AddDeserializer(new PlainJson());
            endpoint.UseFilter(new TraceParentFilter());
            endpoint.ConfigureConsumer<UserFanoutConsumer>(context);
        });
        AddLanes<UserFanoutPartConsumer>(context, rabbit, Queues.UserFanoutPart);
        AddLanes<UserFanoutBroadcastConsumer>(context, rabbit, Queues.UserFanoutBroadcast);
        AddLanes<SubscriptionSendConsumer>(context, rabbit, Queues.SubscriptionSend);
        rabbit.ReceiveEndpoint(Queues.SubscriptionExpired, endpoint =>
        {
            endpoint.UseQuorumQueue();
            DropLargeHeaders(context, endpoint);
            endpoint.ConfigureConsumer<SubscriptionExpiredConsumer>(context);
        });
        rabbit.ReceiveEndpoint(Queues.DeliveryLog, endpoint =>
        {
            endpoint.UseQuorumQueue();
            DropLargeHeaders(context, endpoint);
            endpoint.ConfigureConsumer<DeliveryLogConsumer>(context);
            endpoint.UseHandover();
        });

        // Every worker hears of changed subscriptions, and of how all of them do.
        AddOwnQueue(context, rabbit, Queues.SubscriptionCache, endpoint =>
        {
            endpoint.ConnectReceiveEndpointObserver(new EvictsWhenReady(context.GetRequiredService<SubscriptionCache>()));
            endpoint.ConfigureConsumer<SubscriptionCacheConsumer>(context);
        });
        AddOwnQueue(context, rabbit, Queues.WorkerReport, endpoint => endpoint.ConfigureConsumer<WorkerReportConsumer>(context));
    }

    // It goes with the worker's connection.
    private static void AddOwnQueue(IBusRegistrationContext context, IRabbitMqBusFactoryConfigurator rabbit, string name, Action<IRabbitMqReceiveEndpointConfigurator> configure) =>
        rabbit.ReceiveEndpoint($"{name}-{NewId.NextGuid():N}", endpoint =>
        {
            (endpoint.Durable, endpoint.AutoDelete, endpoint.Exclusive) = (false, true, true);
            DropLargeHeaders(context, endpoint);
            configure(endpoint);
        });

    private static void AddLanes<TConsumer>(IBusRegistrationContext context, IRabbitMqBusFactoryConfigurator rabbit, string stage)
        where TConsumer : class, IConsumer
    {
        var lanes = context.GetRequiredService<Lanes>().Counts[stage];
        for (var lane = 0; lane < lanes; lane++)
        {
            AddLane(context, rabbit, Lanes.QueueOf(stage, lane), lanes, lane, endpoint => endpoint.ConfigureConsumer<TConsumer>(context));
        }
    }

    private static void AddLane(
        IBusRegistrationContext context, IRabbitMqBusFactoryConfigurator rabbit, string queue, int lanes, int lane, Action<IRabbitMqReceiveEndpointConfigurator> configure) =>
        rabbit.ReceiveEndpoint(queue, endpoint =>
        {
            var filter = new LaneChannelFilter(endpoint, context.GetRequiredService<WorkerNumbers>(), lanes, lane, context.GetRequiredService<LaneStop>().Begun);
            endpoint.ConfigureChannel(pipe => pipe.UseFilter(filter));
            configure(endpoint);
        });

    // Where others may send to; outside everything else.
    private static void DropLargeHeaders(IBusRegistrationContext context, IRabbitMqReceiveEndpointConfigurator endpoint) =>
        endpoint.ConfigureReceive(pipe => pipe.UseFilter(new LargeHeadersFilter(context.GetRequiredService<ILogger<LargeHeadersFilter>>())));
}
