using MassTransit;
using MassTransit.RabbitMqTransport;

namespace Notify.Messaging.RabbitMq;

/// <summary>Before the consumer starts on a connection: sets its priority by the worker's number there.</summary>
internal sealed class LanePriorityFilter(IRabbitMqReceiveEndpointConfigurator endpoint, WorkerNumbers numbers, int lanes, int lane) : IFilter<ChannelContext>
{
    public async Task Send(ChannelContext context, IPipe<ChannelContext> next)
    {
        endpoint.ConsumerPriority = LanePriorities.Of(lanes, lane, await numbers.OfAsync(context.ConnectionContext));
        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("lanePriority");
}
