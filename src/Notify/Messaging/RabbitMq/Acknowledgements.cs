using System.Threading.Channels;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Acknowledges what a channel delivered, many messages in one frame. To the broker's quorum queue every acknowledgement is an entry in its log, and calls for a delivery of as
/// many messages as it frees: one of a dozen messages costs it little more than one of a single message.
/// </summary>
/// <remarks>A message waits for those that were delivered before it, but not for long: those behind one that takes its time are acknowledged by themselves. Of two that
/// were added in the order of their delivery, the second is never acknowledged first.</remarks>
internal sealed class Acknowledgements : IAsyncDisposable
{
    /// <summary>How long acknowledgements gather.</summary>
    public static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(10);

    /// <summary>How long one waits for those before it; more, and a slow message would keep others from being delivered.</summary>
    public static readonly TimeSpan WaitsAtMost = TimeSpan.FromMilliseconds(50);

    private readonly Func<ulong, bool, ValueTask> _acknowledge;
    private readonly Func<Exception, Task> _fail;
    private readonly TimeProvider _time;
    private readonly Channel<Handled> _handled = Channel.CreateUnbounded<Handled>(new UnboundedChannelOptions { SingleReader = true });
    private readonly CancellationTokenSource _ended = new();
    private readonly SortedDictionary<ulong, Handled> _waiting = [];
    private readonly HashSet<ulong> _settled = [];
    private readonly Task _acknowledging;
    private ulong _first;
    private ulong _through;

    /// <summary>Acknowledges on a channel.</summary>
    /// <param name="acknowledge">Acknowledges the message of a delivery tag, and where true all up to it that are not yet.</param>
    /// <param name="fail">Is told why nothing will be acknowledged any more; it must not throw.</param>
    /// <param name="time">The time that acknowledgements gather in.</param>
    public Acknowledgements(Func<ulong, bool, ValueTask> acknowledge, Func<Exception, Task> fail, TimeProvider time)
    {
        (_acknowledge, _fail, _time) = (acknowledge, fail, time);
        using (ExecutionContext.SuppressFlow())
        {
            _acknowledging = Task.Run(AcknowledgeOrFailAsync);
        }
    }

    /// <summary>Says that a message was delivered; to be called in the order of deliveries.</summary>
    public void Delivered(ulong deliveryTag) => _first = _first == 0 ? deliveryTag : _first;

    /// <summary>Acknowledges a message; returns when that is on its way to the broker.</summary>
    /// <exception cref="ObjectDisposedException">The channel is closed.</exception>
    public Task AddAsync(ulong deliveryTag)
    {
        var acknowledged = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ObjectDisposedException.ThrowIf(!_handled.Writer.TryWrite(new Handled(deliveryTag, _time.GetTimestamp(), acknowledged)), this);
        return acknowledged.Task;
    }

    /// <summary>Says that a message was given back: those behind it wait for it no more.</summary>
    public void GivenBack(ulong deliveryTag) => _handled.Writer.TryWrite(new Handled(deliveryTag, 0, null));

    /// <summary>Acknowledges at once what still waits.</summary>
    public async ValueTask DisposeAsync()
    {
        _handled.Writer.TryComplete();
        await _ended.CancelAsync();
        await _acknowledging;
        _ended.Dispose();
    }

    private async Task AcknowledgeOrFailAsync()
    {
        try
        {
            await AcknowledgeAllAsync();
        }
        catch (Exception exception)
        {
            _handled.Writer.TryComplete();
            await foreach (var handled in _handled.Reader.ReadAllAsync())
            {
                handled.Acknowledged?.TrySetException(exception);
            }

            foreach (var handled in _waiting.Values)
            {
                handled.Acknowledged!.TrySetException(exception);
            }

            await _fail(exception);
        }
    }

    private async Task AcknowledgeAllAsync()
    {
        while (_waiting.Count > 0 || await _handled.Reader.WaitToReadAsync())
        {
            await Task.Delay(Linger, _time, _ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            while (_handled.Reader.TryRead(out var handled))
            {
                if (handled.Acknowledged is null)
                {
                    _settled.Add(handled.DeliveryTag);
                }
                else if (!_waiting.TryAdd(handled.DeliveryTag, handled))
                {
                    handled.Acknowledged.SetException(new InvalidOperationException($"Message {handled.DeliveryTag} is being acknowledged already."));
                }
            }

            await AcknowledgeAsync(TakeThoseWithNoneBefore());
            foreach (var late in TakeLate())
            {
                await AcknowledgeAsync([late]);
            }
        }
    }

    private List<Handled> TakeThoseWithNoneBefore()
    {
        // A channel that was used before counts on.
        _through = Math.Max(_through, Math.Max(_first, 1) - 1);
        var some = new List<Handled>();
        while (_waiting.Remove(_through + 1, out var next) || _settled.Remove(_through + 1))
        {
            _through++;
            if (next is not null)
            {
                some.Add(next);
            }
        }

        return some;
    }

    private List<Handled> TakeLate()
    {
        // By one clock for all, so that none is late whose forerunner is not.
        var now = _time.GetTimestamp();
        var late = _waiting.Values.Where(handled => _ended.IsCancellationRequested || _time.GetElapsedTime(handled.At, now) >= WaitsAtMost).ToList();
        foreach (var one in late)
        {
            _waiting.Remove(one.DeliveryTag);
            _settled.Add(one.DeliveryTag);
        }

        return late;
    }

    private async Task AcknowledgeAsync(IReadOnlyList<Handled> some)
    {
        if (some is not [.., var last])
        {
            return;
        }

        try
        {
            await _acknowledge(last.DeliveryTag, some.Count > 1);
            foreach (var one in some)
            {
                one.Acknowledged!.SetResult();
            }
        }
        catch (Exception exception)
        {
            foreach (var one in some)
            {
                one.Acknowledged!.TrySetException(exception);
            }
        }
    }

    private sealed record Handled(ulong DeliveryTag, long At, TaskCompletionSource? Acknowledged);
}
