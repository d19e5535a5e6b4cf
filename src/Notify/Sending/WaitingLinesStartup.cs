using Notify.Messaging;

namespace Notify.Sending;

/// <summary>
/// Before the bus takes its first message: reads the waiting lines. Once it runs: sends the head of each again, since the in-memory bus has forgotten the
/// copy it held back.
/// </summary>
internal sealed class WaitingLinesStartup(WaitingLines lines, PushSender sender, TimeProvider time) : IHostedLifecycleService
{
    private IReadOnlyList<ReleasedPush> _heads = [];

    public async Task StartAsync(CancellationToken cancellationToken) => _heads = await lines.LoadAsync(cancellationToken);

    public async Task StartedAsync(CancellationToken cancellationToken)
    {
        foreach (var head in _heads)
        {
            var delay = head.At - time.GetUtcNow();
            await sender.SendLaterAsync(head.Push, head.Attempts, delay > TimeSpan.Zero ? delay : TimeSpan.Zero);
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
