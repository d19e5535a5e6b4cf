using Microsoft.Extensions.Options;
using Notify.Messaging;
using Notify.Telemetry;

namespace Notify.Sending;

/// <summary>
/// Sees to it that no line stands still: (1) once the bus runs it sends the head of each line again where that bus has none of the copies that were held back, as the in-memory bus has not, nor a
/// broker that has just been put in another's place; (2) from then on it looks for heads that the bus has lost.
/// </summary>
internal sealed partial class WaitingLinesWatch(
    WaitingLines lines, PushSender sender, Lanes lanes, IOptions<NotifyOptions> options, TimeProvider time, ILogger<WaitingLinesWatch> logger) : IHostedLifecycleService, IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stopping = new();
    private Task _watching = Task.CompletedTask;

    // A broker loses nothing unless somebody purges its queues, and a long queue is no loss.
    private TimeSpan Overdue => options.Value.Transport == TransportKind.InMemory ? TimeSpan.FromMinutes(1) : TimeSpan.FromMinutes(15);

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        // (1)
        if (options.Value.Transport == TransportKind.InMemory)
        {
            await SendHeadsAsync(cancellationToken);
        }

        // (2)
        _watching = WatchAsync();
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _watching;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _stopping.Dispose();

    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (lanes.AreNew && !await TryToSendHeadsAsync(_stopping.Token))
            {
                await timer.WaitForNextTickAsync(_stopping.Token);
            }

            while (await timer.WaitForNextTickAsync(_stopping.Token))
            {
                await SendOverdueAsync(_stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }

    private async Task SendHeadsAsync(CancellationToken cancellationToken)
    {
        await foreach (var head in lines.TakeHeadsAsync(cancellationToken))
        {
            using var trace = NotifyTracing.Resume(head.TraceParent);
            var delay = head.At - time.GetUtcNow();
            await sender.SendLaterAsync(head.Push, head.Attempts, delay > TimeSpan.Zero ? delay : TimeSpan.Zero, cancellationToken);
        }
    }

    private async Task<bool> TryToSendHeadsAsync(CancellationToken cancellationToken)
    {
        try
        {
            await SendHeadsAsync(cancellationToken);
            return true;
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            LogUnreadable(exception);
            return false;
        }
    }

    internal async Task SendOverdueAsync(CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var head in lines.TakeOverdueAsync(time.GetUtcNow() - Overdue, cancellationToken))
            {
                using var trace = NotifyTracing.Resume(head.TraceParent);
                LogOverdue(head.Push.MessageId, head.Push.SubscriptionId, head.At);
                await sender.SendAsync(head.Push, head.Attempts, cancellationToken);
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            LogUnreadable(exception);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The push of message {MessageId} to subscription {SubscriptionId} should have been tried again at {At} and has not come back from the bus; it is sent again")]
    private partial void LogOverdue(Guid messageId, Guid subscriptionId, DateTimeOffset at);

    [LoggerMessage(LogLevel.Warning, "The waiting lines could not be looked through; it is tried again in half a minute")]
    private partial void LogUnreadable(Exception exception);
}
