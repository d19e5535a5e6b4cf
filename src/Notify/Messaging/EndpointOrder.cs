using MassTransit;
using MassTransit.Middleware;
using Notify.Contracts;
using Notify.Messaging.InMemory;
using Notify.Messaging.RabbitMq;
using Notify.Messaging.RabbitMq.Delays;

namespace Notify.Messaging;

/// <summary>How a receive endpoint keeps the order of its messages, on either bus.</summary>
internal static class EndpointOrder
{
    /// <summary>Handles messages of equal keys one at a time, in the order of the queue.</summary>
    /// <param name="endpoint">The receive endpoint.</param>
    /// <param name="context">The services.</param>
    /// <param name="key">What must keep its order.</param>
    /// <param name="concurrency">Messages of different keys handled at once on RabbitMQ. The in-memory bus hands messages out in order only where it is one at a time.</param>
    public static void InOrder<T>(this IReceiveEndpointConfigurator endpoint, IRegistrationContext context, Func<T, string> key, int concurrency)
        where T : class
    {
        if (endpoint is IRabbitMqReceiveEndpointConfigurator lane)
        {
            lane.UseLane(context, key, prefetch: 4 * concurrency);

            // Not UseConcurrencyLimit, which would stand before the order: those that it lets in would wait for one that it does not.
            lane.UseFilter(new ConcurrencyLimitFilter<ConsumeContext>(concurrency));
            lane.UseFilter(new LaneStopFilter(context.GetRequiredService<LaneStop>()));
        }
        else
        {
            endpoint.ConcurrentMessageLimit = 1;
        }
    }

    /// <summary>Handles a subscription's pushes one at a time, in the order in which they were sent, and those of many subscriptions at once.</summary>
    /// <param name="endpoint">The receive endpoint.</param>
    /// <param name="context">The services.</param>
    /// <param name="concurrency">Pushes in flight at once in this process.</param>
    public static void OneAtATimeForEachSubscription(this IReceiveEndpointConfigurator endpoint, IRegistrationContext context, int concurrency)
    {
        if (endpoint is IRabbitMqReceiveEndpointConfigurator lane)
        {
            // Pushes that wait for an earlier one of their subscription take no place among those in flight, so there is room for more of them.
            lane.UseLane<SendPush>(context, push => push.SubscriptionId.ToString(), prefetch: 2 * concurrency);
            lane.UseFilter(context.GetRequiredService<SendLimit>());
            lane.UseFilter(new LaneStopFilter(context.GetRequiredService<LaneStop>()));
            lane.UseDelayQueues(context.GetRequiredService<TimeProvider>());
        }
        else
        {
            endpoint.ConcurrentMessageLimit = concurrency;
            endpoint.UseFilter(new SubscriptionOrderFilter(context.GetRequiredService<OneAtATime>(), context.GetRequiredService<MailboxPushSender>()));
        }
    }
}
