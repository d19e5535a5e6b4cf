namespace Notify.Messaging;

/// <summary>A lock for each subscription: a command that the bus held back may come while another of its subscription is being handled.</summary>
public sealed class OneAtATime
{
    private readonly Dictionary<Guid, Task> _last = [];
    private readonly Lock _lock = new();

    /// <summary>Waits for those that came before, in their order; dispose of the result to let the next one in.</summary>
    public async Task<IDisposable> EnterAsync(Guid subscriptionId)
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task? before;
        lock (_lock)
        {
            _last.TryGetValue(subscriptionId, out before);
            _last[subscriptionId] = mine.Task;
        }

        if (before is not null)
        {
            await before;
        }

        return new Leave(this, subscriptionId, mine);
    }

    private sealed class Leave(OneAtATime owner, Guid subscriptionId, TaskCompletionSource mine) : IDisposable
    {
        public void Dispose()
        {
            lock (owner._lock)
            {
                if (owner._last.TryGetValue(subscriptionId, out var last) && last == mine.Task)
                {
                    owner._last.Remove(subscriptionId);
                }
            }

            mine.TrySetResult();
        }
    }
}
