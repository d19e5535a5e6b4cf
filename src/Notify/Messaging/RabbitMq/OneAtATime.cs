namespace Notify.Messaging.RabbitMq;

/// <summary>A lock for each key, say a subscription, that lets those who wait for it in by the order in which they came.</summary>
internal sealed class OneAtATime
{
    private readonly Dictionary<string, Task> _last = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Waits for those that came before; dispose of the result to let the next one in. The place is taken before the call returns.</summary>
    public async Task<IDisposable> EnterAsync(string key)
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task? before;
        lock (_lock)
        {
            _last.TryGetValue(key, out before);
            _last[key] = mine.Task;
        }

        if (before is not null)
        {
            await before;
        }

        return new Leave(this, key, mine);
    }

    private sealed class Leave(OneAtATime owner, string key, TaskCompletionSource mine) : IDisposable
    {
        public void Dispose()
        {
            lock (owner._lock)
            {
                if (owner._last.TryGetValue(key, out var last) && last == mine.Task)
                {
                    owner._last.Remove(key);
                }
            }

            mine.TrySetResult();
        }
    }
}
