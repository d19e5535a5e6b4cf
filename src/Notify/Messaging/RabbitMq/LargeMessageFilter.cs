using MassTransit;

namespace Notify.Messaging.RabbitMq;

/// <summary>Lets a few large messages at once be read, in the order of their delivery: read, one takes twenty times its size, and a lane is delivered many ahead of their turn.</summary>
internal sealed class LargeMessageFilter : IFilter<ReceiveContext>
{
    /// <summary>Bodies of fewer bytes are not counted: an event to some thousand recipients.</summary>
    internal const int LargeBody = 128 * 1024;

    /// <summary>How many are read at once.</summary>
    internal const int MostAtOnce = 4;

    // The memory is the process's, and what a lost channel delivered may still be under way.
    private static readonly SemaphoreSlim Places = new(MostAtOnce);

    public async Task Send(ReceiveContext context, IPipe<ReceiveContext> next)
    {
        if (context.Body.Length is not > LargeBody)
        {
            await next.Send(context);
            return;
        }

        // Those that are let in wait for none that is not.
        await context.GetPayload<DeliveryPlace>().ReachedAsync(context.CancellationToken);
        await Places.WaitAsync(context.CancellationToken);
        try
        {
            await next.Send(context);
        }
        finally
        {
            Places.Release();
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("largeMessage");
}
