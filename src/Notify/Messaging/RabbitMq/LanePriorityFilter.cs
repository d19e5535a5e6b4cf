using MassTransit;
using MassTransit.RabbitMqTransport;

namespace Notify.Messaging.RabbitMq;

/// <summary>Before the consumer starts on a connection: sets its priority by the worker's number there, and notes its channel. Once the host stops, none starts.</summary>
internal sealed class LanePriorityFilter(IRabbitMqReceiveEndpointConfigurator endpoint, WorkerNumbers numbers, LaneStop stop, int lanes, int lane) : IFilter<ChannelContext>
{
    public async Task Send(ChannelContext context, IPipe<ChannelContext> next)
    {
        if (stop.HasBegun)
        {
            throw new OperationCanceledException("The host stops: this lane is consumed from no more.");
        }

        endpoint.ConsumerPriority = LanePriorities.Of(lanes, lane, await numbers.OfAsync(context.ConnectionContext));
        stop.Add(context.Channel);
        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("lanePriority");
}
