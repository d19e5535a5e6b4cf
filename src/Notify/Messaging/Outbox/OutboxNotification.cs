using MassTransit.Middleware.Outbox;

namespace Notify.Messaging.Outbox;

/// <summary>Wakes the delivery when this process has written to the outbox, and every so often for what others have written.</summary>
/// <remarks>Unlike MassTransit's own, it remembers what was written while the delivery was at work.</remarks>
internal sealed class OutboxNotification(TimeProvider time) : IBusOutboxNotification, IDisposable
{
    /// <summary>How long until the outbox is looked through for what other processes have left there.</summary>
    public static readonly TimeSpan QueryDelay = TimeSpan.FromSeconds(1);

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
        using var patience = new CancellationTokenSource(QueryDelay, time);
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
