using MassTransit;

namespace Notify.Messaging.RabbitMq;

/// <summary>Lets a few large messages at once be read (<see cref="LargeMessages.FromTheBus"/>), in the order of their delivery: a lane is delivered many ahead of their turn.</summary>
internal sealed class LargeMessageFilter : IFilter<ReceiveContext>
{
    public async Task Send(ReceiveContext context, IPipe<ReceiveContext> next)
    {
        if (!LargeMessages.IsLarge(context.Body.Length))
        {
            await next.Send(context);
            return;
        }

        // Those that are let in wait for none that is not.
        await context.GetPayload<DeliveryPlace>().ReachedAsync(context.CancellationToken);
        using var place = await LargeMessages.TakePlaceAsync(LargeMessages.FromTheBus, context.CancellationToken);
        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("largeMessage");
}
