using System.Threading.Channels;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Acknowledges what a channel delivered, many messages in one frame. To the broker's quorum queue every acknowledgement is an entry in its log, and calls for a delivery of as
/// many messages as it frees: one of a dozen messages costs it little more than one of a single message.
/// </summary>
/// <remarks>A message waits for those that were delivered before it, but not for long: those behind one that takes its time are acknowledged by themselves. Of two that
/// were added in the order of their delivery, the second is never acknowledged first. Nobody waits for an acknowledgement that gathers: whoever did would keep all that belongs to the
/// message alive for the garbage collector to look at, and the broker does not say that it has one.</remarks>
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
    private readonly SortedDictionary<ulong, long> _waiting = [];
    private readonly HashSet<ulong> _settled = [];
    private readonly Task _acknowledging;
    private ulong _first;
    private ulong _through;

    /// <summary>Acknowledges on a channel.</summary>
    /// <param name="acknowledge">Acknowledges the message of a delivery tag, and where true all up to it that are not yet.</param>
    /// <param name="fail">Is told why nothing will be acknowledged any more, once something could not be; it must not throw.</param>
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

    /// <summary>Has a message acknowledged soon.</summary>
    /// <returns>False if it has ended: then it is for the caller to acknowledge.</returns>
    public bool TryAdd(ulong deliveryTag) => _handled.Writer.TryWrite(new Handled(deliveryTag, _time.GetTimestamp()));

    /// <summary>Says that a message was given back: those behind it wait for it no more.</summary>
    public void GivenBack(ulong deliveryTag) => _handled.Writer.TryWrite(new Handled(deliveryTag, null));

    /// <summary>Acknowledges at once what still waits, and gathers nothing more. May be called again, to wait for that.</summary>
    public async Task EndAsync()
    {
        _handled.Writer.TryComplete();
        await _ended.CancelAsync();
        await _acknowledging;
    }

    /// <summary>Ends it.</summary>
    public async ValueTask DisposeAsync() => await EndAsync();

    private async Task AcknowledgeOrFailAsync()
    {
        try
        {
            await AcknowledgeAllAsync();
        }
        catch (Exception exception)
        {
            _handled.Writer.TryComplete();
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
                if (handled.At is { } at)
                {
                    _waiting.TryAdd(handled.DeliveryTag, at);
                }
                else
                {
                    _settled.Add(handled.DeliveryTag);
                }
            }

            var (count, last) = TakeThoseWithNoneBefore();
            if (count > 0)
            {
                await _acknowledge(last, count > 1);
            }

            foreach (var late in TakeLate())
            {
                await _acknowledge(late, false);
            }
        }
    }

    private (int Count, ulong Last) TakeThoseWithNoneBefore()
    {
        // A channel that was used before counts on.
        _through = Math.Max(_through, Math.Max(_first, 1) - 1);
        var (count, last) = (0, 0ul);
        while (true)
        {
            if (_waiting.Remove(_through + 1))
            {
                (count, last) = (count + 1, _through + 1);
            }
            else if (!_settled.Remove(_through + 1))
            {
                return (count, last);
            }

            _through++;
        }
    }

    private List<ulong> TakeLate()
    {
        var (now, isEnd) = (_time.GetTimestamp(), _ended.IsCancellationRequested);
        var last = _waiting.LastOrDefault(handled => isEnd || _time.GetElapsedTime(handled.Value, now) >= WaitsAtMost).Key;

        // With those before it, lest one be acknowledged before its forerunner.
        var late = _waiting.Keys.TakeWhile(deliveryTag => deliveryTag <= last).ToList();
        foreach (var deliveryTag in late)
        {
            _waiting.Remove(deliveryTag);
            _settled.Add(deliveryTag);
        }

        return late;
    }

    // Without a time it was given back.
    private readonly record struct Handled(ulong DeliveryTag, long? At);
}
