using MassTransit;
using MassTransit.RabbitMqTransport;

namespace Notify.Messaging.RabbitMq;

/// <summary>Switches handing over on.</summary>
internal static class HandoverConfigurationExtensions
{
    /// <summary>Has the endpoint handle at once what it prefetches, handed over in the order of delivery and acknowledged many at once.</summary>
    public static void UseHandover(this IRabbitMqReceiveEndpointConfigurator endpoint)
    {
        // For the order, and to have but one task that hands over.
        endpoint.ConcurrentMessageLimit = 1;
        endpoint.ConfigureChannel(pipe => pipe.UseFilter(new HandoverChannelFilter()));
    }
}

/// <summary>Before the consumer of a queue starts on a channel: makes it one that hands over.</summary>
internal sealed class HandoverChannelFilter : IFilter<ChannelContext>
{
    public async Task Send(ChannelContext context, IPipe<ChannelContext> next)
    {
        await using var channel = new HandoverChannelContext(context);
        await next.Send(channel);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("handoverChannel");
}
