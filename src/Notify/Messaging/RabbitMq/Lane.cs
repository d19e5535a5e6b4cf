using MassTransit;
using MassTransit.Middleware;

namespace Notify.Messaging.RabbitMq;

/// <summary>What makes a queue a lane: one worker at a time, in the order of the queue, safe on disk.</summary>
internal static class Lane
{
    // Each death of a worker counts. RabbitMQ 4.0 and later drop a message after 20, which is a crash loop of minutes; what can never be handled goes to the
    // error queue by itself.
    private const int DeliveryLimit = 1_000_000;

    /// <summary>What a lane's queue is declared with.</summary>
    public static IDictionary<string, object?> Arguments => new Dictionary<string, object?>(CompetingArguments) { ["x-single-active-consumer"] = true };

    /// <summary>What a queue is declared with that all workers share.</summary>
    public static IDictionary<string, object?> CompetingArguments => new Dictionary<string, object?>
    {
        ["x-queue-type"] = "quorum",
        ["x-delivery-limit"] = DeliveryLimit,
    };

    /// <summary>Declares a replicated queue that survives the broker.</summary>
    public static void UseQuorumQueue(this IRabbitMqQueueConfigurator endpoint)
    {
        endpoint.SetQuorumQueue();
        endpoint.SetQueueArgument("x-delivery-limit", DeliveryLimit);
    }

    /// <summary>Lets one worker at a time handle the queue, messages of equal keys in the order of the queue.</summary>
    /// <param name="endpoint">The receive endpoint.</param>
    /// <param name="context">The services.</param>
    /// <param name="key">What must keep its order.</param>
    /// <param name="prefetch">Messages under way in this process, those included that wait for an earlier one of their key.</param>
    /// <param name="concurrency">Of those, how many are handled at once; null for all.</param>
    public static void UseLane<T>(this IRabbitMqReceiveEndpointConfigurator endpoint, IRegistrationContext context, Func<T, string> key, int prefetch, int? concurrency = null)
        where T : class
    {
        endpoint.UseQuorumQueue();
        endpoint.SingleActiveConsumer = true;
        endpoint.PrefetchCount = prefetch;
        endpoint.UseHandover();
        var stop = context.GetRequiredService<LaneStop>();
        var stopFilter = new LaneStopFilter<ConsumeContext>(stop.Begun);
        endpoint.ConnectReceiveEndpointObserver(stop);
        endpoint.ConfigureReceive(pipe =>
        {
            pipe.UseFilter(new DeliveryPlaceFilter());
            pipe.UseFilter(new LargeMessageFilter());
        });
        endpoint.UseFilter(stopFilter);
        endpoint.UseFilter(new DeliveryOrderFilter<T>(context.GetRequiredService<OneAtATime>(), key));
        if (concurrency is { } limit)
        {
            // Not UseConcurrencyLimit, which would stand before the order: those that it lets in would wait for one that it does not.
            endpoint.UseFilter(new ConcurrencyLimitFilter<ConsumeContext>(limit));
        }

        endpoint.UseFilter(stopFilter);
    }

    /// <summary>When the host stops, what waits for its next try gives up.</summary>
    public static void StopBetweenTries<TConsumer>(this IConsumerConfigurator<TConsumer> consumer, IRegistrationContext context)
        where TConsumer : class => consumer.UseFilter(new LaneStopFilter<ConsumerConsumeContext<TConsumer>>(context.GetRequiredService<LaneStop>().Begun));
}
