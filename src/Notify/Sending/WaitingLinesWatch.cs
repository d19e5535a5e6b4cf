using Notify.Messaging;

namespace Notify.Sending;

/// <summary>
/// Sees to it that no line stands still: (1) before the bus takes its first message it reads the lines; (2) once the bus runs it sends the head of each
/// again, since the in-memory bus has forgotten the copy it held back; (3) from then on it looks for heads that the bus has lost.
/// </summary>
internal sealed partial class WaitingLinesWatch(WaitingLines lines, PushSender sender, TimeProvider time, ILogger<WaitingLinesWatch> logger) : IHostedLifecycleService, IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _stopping = new();
    private IReadOnlyList<ReleasedPush> _heads = [];
    private Task _watching = Task.CompletedTask;

    // (1)
    public async Task StartAsync(CancellationToken cancellationToken) => _heads = await lines.LoadAsync(cancellationToken);

    // (2)
    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        foreach (var head in _heads)
        {
            var delay = head.At - time.GetUtcNow();
            await sender.SendLaterAsync(head.Push, head.Attempts, delay > TimeSpan.Zero ? delay : TimeSpan.Zero);
        }

        _watching = WatchAsync();
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _watching;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _stopping.Dispose();

    // (3)
    private async Task WatchAsync()
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
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

    internal async Task SendOverdueAsync(CancellationToken cancellationToken)
    {
        try
        {
            foreach (var head in await lines.TakeOverdueAsync(cancellationToken))
            {
                LogOverdue(head.Push.MessageId, head.Push.SubscriptionId, head.At);
                await sender.SendAsync(head.Push, head.Attempts);
            }
        }
        catch (WaitingLineException exception)
        {
            LogUnreadable(exception);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The push of message {MessageId} to subscription {SubscriptionId} should have been tried again at {At} and has not come back from the bus; it is sent again")]
    private partial void LogOverdue(Guid messageId, Guid subscriptionId, DateTimeOffset at);

    [LoggerMessage(LogLevel.Warning, "The waiting lines could not be looked through; it is tried again in half a minute")]
    private partial void LogUnreadable(Exception exception);
}
