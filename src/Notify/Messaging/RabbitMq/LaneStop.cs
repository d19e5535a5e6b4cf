using System.Collections.Concurrent;
using MassTransit;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Gives the lanes up in order when the host stops: (1) nothing new begins, (2) what is under way comes to its end and is acknowledged, (3) the channels are closed, and
/// the broker hands everything else, in its order, to the next worker.
/// </summary>
/// <remarks>
/// MassTransit stops by cancelling the consumer and working off what was delivered to it. But the broker gives a lane whose consumer was cancelled to the next worker at
/// once, and the two would be at it together.
/// </remarks>
internal sealed class LaneStop : IHostedLifecycleService, IReceiveObserver
{
    private readonly ConcurrentDictionary<IChannel, bool> _channels = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private int _underWay;

    /// <summary>The host stops.</summary>
    public bool HasBegun { get; private set; }

    /// <summary>Notes a channel that a lane is consumed from.</summary>
    public void Add(IChannel channel) => _channels.TryAdd(channel, true);

    /// <summary>Begins to handle a message.</summary>
    /// <returns>False if nothing may begin any more.</returns>
    public bool TryBegin(ReceiveContext context)
    {
        lock (_lock)
        {
            if (!HasBegun && !context.HasPayloadType(typeof(UnderWay)))
            {
                context.GetOrAddPayload(() => new UnderWay());
                _underWay++;
            }

            return !HasBegun;
        }
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        // (1)
        lock (_lock)
        {
            HasBegun = true;
            if (_underWay == 0)
            {
                _ended.TrySetResult();
            }
        }

        // (2)
        await _ended.Task.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        // (3)
        foreach (var channel in _channels.Keys.Where(channel => channel.IsOpen))
        {
            try
            {
                await channel.CloseAsync(CancellationToken.None);
            }
            catch (Exception exception) when (exception is ObjectDisposedException or OperationInterruptedException)
            {
                // MassTransit hears of it and cleans up, or the connection was lost: closed it is.
            }
        }
    }

    // Not in the filter: the message is acknowledged after the last of them.
    public Task PostReceive(ReceiveContext context) => EndAsync(context);

    public Task ReceiveFault(ReceiveContext context, Exception exception) => EndAsync(context);

    public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

    public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
        where T : class => Task.CompletedTask;

    public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
        where T : class => Task.CompletedTask;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private Task EndAsync(ReceiveContext context)
    {
        lock (_lock)
        {
            if (context.HasPayloadType(typeof(UnderWay)) && --_underWay == 0 && HasBegun)
            {
                _ended.TrySetResult();
            }
        }

        return Task.CompletedTask;
    }

    private sealed class UnderWay;
}

/// <summary>The last filter before a lane's consumer: lets nothing begin once the host stops.</summary>
internal sealed class LaneStopFilter(LaneStop stop) : IFilter<ConsumeContext>
{
    public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        if (!stop.TryBegin(context.ReceiveContext))
        {
            // Until the channel is closed and the message is somebody else's.
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }

        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("laneStop");
}
