using MassTransit;
using MassTransit.RabbitMqTransport;

namespace Notify.Messaging.RabbitMq;

/// <summary>Before the consumer of a lane starts on a connection: sets its priority by the worker's number there. Once the host stops, none starts.</summary>
internal sealed class LaneChannelFilter(IRabbitMqReceiveEndpointConfigurator endpoint, WorkerNumbers numbers, int lanes, int lane, CancellationToken stopBegun) : IFilter<ChannelContext>
{
    public async Task Send(ChannelContext context, IPipe<ChannelContext> next)
    {
        if (stopBegun.IsCancellationRequested)
        {
            throw new OperationCanceledException("The host stops: this lane is consumed from no more.");
        }

        endpoint.ConsumerPriority = LanePriorities.Of(lanes, lane, await numbers.OfAsync(context.ConnectionContext));
        using var channel = new LaneChannelContext(context);
        await next.Send(channel);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("laneChannel");
}
