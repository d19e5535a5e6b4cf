using MassTransit;
using MassTransit.Middleware.Outbox;
using Microsoft.Extensions.Options;

namespace Notify.Messaging.Outbox;

/// <summary>Wakes the delivery when this process has written to the outbox, and every so often for what others have written.</summary>
/// <remarks>Unlike MassTransit's own, it remembers what was written while the delivery was at work.</remarks>
internal sealed class OutboxNotification(IOptions<OutboxDeliveryServiceOptions> options, TimeProvider time) : IBusOutboxNotification, IDisposable
{
    private readonly SemaphoreSlim _written = new(0, 1);
    private readonly Lock _lock = new();

    /// <summary>Says that something was written.</summary>
    public void Delivered()
    {
        lock (_lock)
        {
            if (_written.CurrentCount == 0)
            {
                _written.Release();
            }
        }
    }

    public async Task WaitForDelivery(CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(options.Value.QueryDelay, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await _written.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Time to look for what other processes have written.
        }
    }

    public void Dispose() => _written.Dispose();
}
