using MassTransit;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Sending;
using Notify.Subscriptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>The bus on RabbitMQ: which queues there are, and which consumer handles them. docs/rabbitmq.md has the picture.</summary>
internal static class RabbitMqSetup
{
    public static IServiceCollection AddNotifyRabbitMq(this IServiceCollection services, RabbitMqAddress address) => services
        .AddSingleton(address)
        .AddSingleton<SendLimit>()
        .AddSingleton<WorkerNumbers>()
        .AddSingleton<PushSender, LanePushSender>()
        .AddHostedService<LaneCheck>();

    public static void UseNotifyRabbitMq(this IBusRegistrationConfigurator bus, RabbitMqAddress address)
    {
        bus.AddConsumer<SubscriptionCacheConsumer>();
        bus.UsingRabbitMq((context, rabbit) => Configure(context, rabbit, address));
    }

    private static void Configure(IBusRegistrationContext context, IRabbitMqBusFactoryConfigurator rabbit, RabbitMqAddress address)
    {
        address.Configure(rabbit);

        // Else nobody could look into a lane's error queue while another does.
        rabbit.SendTopology.ConfigureErrorSettings = settings => settings.SetQueueArgument("x-single-active-consumer", null);
        rabbit.SendTopology.ConfigureDeadLetterSettings = settings => settings.SetQueueArgument("x-single-active-consumer", null);

        rabbit.ReceiveEndpoint(Queues.UserFanout, endpoint =>
        {
            // From publishers that are no MassTransit: content type application/json, the event alone. The consumer checks it.
            endpoint.UseRawJsonDeserializer(RawSerializerOptions.AnyMessageType | RawSerializerOptions.CopyHeaders);
            endpoint.ConfigureConsumer<UserFanoutConsumer>(context);
        });
        AddLanes<UserFanoutPartConsumer>(Queues.UserFanoutPart);
        AddLanes<SubscriptionSendConsumer>(Queues.SubscriptionSend);
        rabbit.ReceiveEndpoint(Queues.SubscriptionExpired, endpoint =>
        {
            endpoint.UseQuorumQueue();
            endpoint.ConfigureConsumer<SubscriptionExpiredConsumer>(context);
        });
        rabbit.ReceiveEndpoint(Queues.DeliveryLog, endpoint =>
        {
            endpoint.UseQuorumQueue();
            endpoint.ConfigureConsumer<DeliveryLogConsumer>(context);
        });

        // Every worker hears of changed subscriptions, on a queue that goes with its connection.
        rabbit.ReceiveEndpoint($"{Queues.SubscriptionCache}-{NewId.NextGuid():N}", endpoint =>
        {
            (endpoint.Durable, endpoint.AutoDelete, endpoint.Exclusive) = (false, true, true);
            endpoint.ConfigureConsumer<SubscriptionCacheConsumer>(context);
        });

        void AddLanes<TConsumer>(string stage)
            where TConsumer : class, IConsumer
        {
            var lanes = context.GetRequiredService<Lanes>().Counts[stage];
            for (var lane = 0; lane < lanes; lane++)
            {
                var number = lane;
                rabbit.ReceiveEndpoint(Lanes.QueueOf(stage, number), endpoint =>
                {
                    endpoint.ConfigureChannel(pipe => pipe.UseFilter(new LanePriorityFilter(endpoint, context.GetRequiredService<WorkerNumbers>(), lanes, number)));
                    endpoint.ConfigureConsumer<TConsumer>(context);
                });
            }
        }
    }
}
