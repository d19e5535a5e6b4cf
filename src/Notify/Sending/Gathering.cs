using System.Threading.Channels;

namespace Notify.Sending;

/// <summary>Hands what many callers bring to one handler, many at once: while it is at work the next ones gather. Alone, a caller does not wait for others.</summary>
internal sealed class Gathering<T> : IAsyncDisposable
{
    private readonly Channel<T> _gathered = Channel.CreateUnbounded<T>(new UnboundedChannelOptions { SingleReader = true });
    private readonly int _mostAtOnce;
    private readonly Func<IReadOnlyList<T>, Task> _handle;
    private readonly Task _handling;

    /// <summary>Starts to gather.</summary>
    /// <param name="mostAtOnce">The most that the handler gets in one go.</param>
    /// <param name="handle">The handler; it must not throw.</param>
    public Gathering(int mostAtOnce, Func<IReadOnlyList<T>, Task> handle)
    {
        (_mostAtOnce, _handle) = (mostAtOnce, handle);
        _handling = Task.Run(HandleAllAsync);
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
        while (await _gathered.Reader.WaitToReadAsync())
        {
            var some = new List<T>(_mostAtOnce);
            while (some.Count < _mostAtOnce && _gathered.Reader.TryRead(out var item))
            {
                some.Add(item);
            }

            await _handle(some);
        }
    }
}
