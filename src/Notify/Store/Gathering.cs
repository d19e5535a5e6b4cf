using System.Threading.Channels;

namespace Notify.Store;

/// <summary>Hands what many callers bring to one handler, many at once: while it is at work the next ones gather. Alone, a caller does not wait for others.</summary>
internal sealed class Gathering<T> : IAsyncDisposable
{
    private readonly Channel<T> _gathered = Channel.CreateUnbounded<T>(new UnboundedChannelOptions { SingleReader = true });
    private readonly int _mostAtOnce;
    private readonly Func<IReadOnlyList<T>, Task> _handle;
    private readonly TimeSpan _linger;
    private readonly Task _handling;

    /// <summary>Starts to gather.</summary>
    /// <param name="mostAtOnce">The most that the handler gets in one go.</param>
    /// <param name="handle">The handler; it must not throw.</param>
    /// <param name="linger">How long to wait for others to come along, where more than one, and fewer than so many, came the last time; zero or more.</param>
    public Gathering(int mostAtOnce, Func<IReadOnlyList<T>, Task> handle, TimeSpan linger = default)
    {
        (_mostAtOnce, _handle, _linger) = (mostAtOnce, handle, linger);

        // Whoever comes first must not have all that follows in their trace.
        using (ExecutionContext.SuppressFlow())
        {
            _handling = Task.Run(HandleAllAsync);
        }
    }

    /// <summary>Adds to those that are handled next.</summary>
    /// <exception cref="ObjectDisposedException">It has ended.</exception>
    public void Add(T item) => ObjectDisposedException.ThrowIf(!_gathered.Writer.TryWrite(item), this);

    /// <summary>Ends when all that was added is handled.</summary>
    public async ValueTask DisposeAsync()
    {
        _gathered.Writer.TryComplete();
        await _handling;
    }

    private async Task HandleAllAsync()
    {
        var count = 0;
        while (await _gathered.Reader.WaitToReadAsync())
        {
            if (count > 1 && count < _mostAtOnce && _linger > TimeSpan.Zero)
            {
                // By the system's clock, whatever a test's does: nobody is told of this time.
                await Task.Delay(_linger, TimeProvider.System);
            }

            var some = new List<T>();
            while (some.Count < _mostAtOnce && _gathered.Reader.TryRead(out var item))
            {
                some.Add(item);
            }

            count = some.Count;
            await _handle(some);
        }
    }
}
