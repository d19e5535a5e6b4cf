using MassTransit;
using MassTransit.RabbitMqTransport;

namespace Notify.Messaging.RabbitMq;

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
