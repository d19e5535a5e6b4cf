using System.Collections.Concurrent;
using MassTransit;
using MassTransit.Transports;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Gives the lanes up in order, before anything else of the host stops: (1) nothing new begins, (2) what is under way comes to its end and is acknowledged, (3) MassTransit
/// closes the channels, and the broker hands everything else, in its order, to the next worker.
/// </summary>
/// <remarks>The bus itself stops after the web server, whose last requests still need it, and may take a while to end.</remarks>
internal sealed class LaneStop : IReceiveEndpointObserver, IHostedLifecycleService, IDisposable
{
    private readonly ConcurrentDictionary<Uri, IReceiveEndpoint> _endpoints = [];
    private readonly CancellationTokenSource _begun = new();

    /// <summary>Cancelled when the host stops.</summary>
    public CancellationToken Begun => _begun.Token;

    public Task Ready(ReceiveEndpointReady ready)
    {
        _endpoints[ready.InputAddress] = ready.ReceiveEndpoint;
        return Task.CompletedTask;
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await _begun.CancelAsync();
        await Task.WhenAll(_endpoints.Values.Select(endpoint => endpoint.Stop(cancellationToken)));
    }

    public void Dispose() => _begun.Dispose();

    public Task Stopping(ReceiveEndpointStopping stopping) => Task.CompletedTask;

    public Task Completed(ReceiveEndpointCompleted completed) => Task.CompletedTask;

    public Task Faulted(ReceiveEndpointFaulted faulted) => Task.CompletedTask;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>Before a lane's consumer, and before the order that messages wait for: once the host stops, nothing begins any more.</summary>
internal sealed class LaneStopFilter<TContext>(CancellationToken stopBegun) : IFilter<TContext>
    where TContext : class, ConsumeContext
{
    public Task Send(TContext context, IPipe<TContext> next)
    {
        if (stopBegun.IsCancellationRequested)
        {
            // What is cancelled is neither acknowledged nor given back nor tried again, here or on the way out.
            ((BaseReceiveContext)context.ReceiveContext).Cancel();
            context.CancellationToken.ThrowIfCancellationRequested();
        }

        return next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("laneStop");
}
