using MassTransit;
using Notify.Messaging.RabbitMq;

namespace Notify.Messaging;

/// <summary>How a receive endpoint keeps the order of its messages, on either bus.</summary>
internal static class EndpointOrder
{
    // More than are handled at once: those behind a slow one keep their places until they are acknowledged without it (Acknowledgements).
    private const int PrefetchOfFanout = 64;

    /// <summary>Handles messages of equal keys one at a time, in the order of the queue.</summary>
    /// <param name="endpoint">The receive endpoint.</param>
    /// <param name="consumer">Its consumer.</param>
    /// <param name="context">The services.</param>
    /// <param name="key">What must keep its order.</param>
    /// <param name="concurrency">Messages of different keys handled at once on RabbitMQ. The in-memory bus hands messages out in order only where it is one at a time.</param>
    public static void InOrder<TConsumer, T>(
        this IReceiveEndpointConfigurator endpoint, IConsumerConfigurator<TConsumer> consumer, IRegistrationContext context, Func<T, string> key, int concurrency)
        where TConsumer : class
        where T : class
    {
        if (endpoint is IRabbitMqReceiveEndpointConfigurator lane)
        {
            lane.UseLane(context, key, PrefetchOfFanout, concurrency);
            consumer.StopBetweenTries(context);
        }
        else
        {
            endpoint.ConcurrentMessageLimit = 1;
        }
    }
}
