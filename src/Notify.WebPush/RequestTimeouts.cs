using System.Collections.Concurrent;

namespace Notify.WebPush;

/// <summary>
/// Cancellation sources that end a request after a time, used again once their request is over: a fresh one with its timer, and another to
/// link it to the caller's, are a tenth of what a request allocates. Keeps as many as requests were ever under way at once.
/// </summary>
internal sealed class RequestTimeouts(TimeProvider time)
{
    private readonly ConcurrentQueue<CancellationTokenSource> _idle = new();

    /// <summary>A source that is not cancelled, and will be after so long.</summary>
    internal CancellationTokenSource Rent(TimeSpan timeout)
    {
        if (!_idle.TryDequeue(out var source))
        {
            return new CancellationTokenSource(timeout, time);
        }

        source.CancelAfter(timeout);
        return source;
    }

    /// <summary>Takes a source back that nobody cancels any more. One that was cancelled, or whose clock is not the system's, is of no further use.</summary>
    internal void Return(CancellationTokenSource source)
    {
        if (source.TryReset())
        {
            _idle.Enqueue(source);
        }
        else
        {
            source.Dispose();
        }
    }
}
