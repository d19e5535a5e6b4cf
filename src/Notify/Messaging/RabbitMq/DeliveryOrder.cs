using MassTransit;
using MassTransit.RabbitMqTransport;
using MassTransit.Transports;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// The order in which the broker delivered a consumer's messages. Whatever order an endpoint that handles many at once starts them in, here each
/// finds its turn again, by delivery tags, which count on a channel without a gap.
/// </summary>
internal sealed class DeliveryOrder
{
    private readonly Lock _lock = new();
    private readonly HashSet<ulong> _passed = [];
    private readonly Dictionary<ulong, TaskCompletionSource> _waiting = [];
    private ulong _next = 1;
    private bool _isBegun;

    /// <summary>How many have passed that come after one that has not.</summary>
    internal int Kept => _passed.Count;

    /// <summary>Says that a message was delivered; to be called in the order of deliveries. A channel that had another consumer before counts on.</summary>
    public void Delivered(ulong deliveryTag)
    {
        lock (_lock)
        {
            (_next, _isBegun) = (_isBegun ? _next : deliveryTag, true);
        }
    }

    /// <summary>Waits until all that were delivered before have passed.</summary>
    public Task ReachedAsync(ulong deliveryTag)
    {
        lock (_lock)
        {
            if (deliveryTag <= _next)
            {
                return Task.CompletedTask;
            }

            var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add(deliveryTag, turn);
            return turn.Task;
        }
    }

    /// <summary>Says that this message has taken its place, or will never take one.</summary>
    public void Pass(ulong deliveryTag)
    {
        lock (_lock)
        {
            _passed.Add(deliveryTag);
            while (_passed.Remove(_next))
            {
                _next++;
                if (_waiting.Remove(_next, out var turn))
                {
                    turn.SetResult();
                }
            }
        }
    }
}

/// <summary>A message's place in the order of its consumer.</summary>
internal sealed class DeliveryPlace(DeliveryOrder order, ulong deliveryTag)
{
    private int _passed;

    public Task ReachedAsync(CancellationToken cancellationToken = default) => order.ReachedAsync(deliveryTag).WaitAsync(cancellationToken);

    public void Pass()
    {
        if (Interlocked.Exchange(ref _passed, 1) == 0)
        {
            order.Pass(deliveryTag);
        }
    }
}

/// <summary>Around everything else that happens to a message, even to one that cannot be read: gives it its place, and frees that in any case.</summary>
internal sealed class DeliveryPlaceFilter : IFilter<ReceiveContext>
{
    public async Task Send(ReceiveContext context, IPipe<ReceiveContext> next)
    {
        var place = new DeliveryPlace(context.GetPayload<HandoverChannelContext>().Order, context.GetPayload<RabbitMqBasicConsumeContext>().DeliveryTag);
        context.GetOrAddPayload(() => place);
        try
        {
            await next.Send(context);
        }
        finally
        {
            place.Pass();
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("deliveryPlace");
}

/// <summary>Lets messages of equal keys through one at a time, in the order of their delivery, however many are handled at once.</summary>
/// <remarks>A lock of the whole process, not of the channel: after a reconnect, what the lost channel delivered may still be under way.</remarks>
internal sealed class DeliveryOrderFilter<T>(OneAtATime oneAtATime, Func<T, string> key) : IFilter<ConsumeContext>
    where T : class
{
    public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        if (!context.TryGetMessage<T>(out var message))
        {
            await next.Send(context);
            return;
        }

        var place = context.ReceiveContext.GetPayload<DeliveryPlace>();

        // When the channel closes, a message before this one may be dropped without ever having had a place.
        await place.ReachedAsync(context.CancellationToken);
        var entering = oneAtATime.EnterAsync($"{typeof(T).Name}/{key(message.Message)}");
        place.Pass();
        using (await entering)
        {
            if (!context.ReceiveContext.GetPayload<ChannelContext>().Channel.IsOpen)
            {
                // One before it may have been cancelled half-way, and comes again before it. What is cancelled is neither acknowledged nor tried again.
                ((BaseReceiveContext)context.ReceiveContext).Cancel();
                throw new OperationCanceledException(context.ReceiveContext.CancellationToken);
            }

            await next.Send(context);
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("deliveryOrder");
}
