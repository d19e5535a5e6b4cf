namespace Notify.Messaging;

/// <summary>
/// Lets one message of a subscription through at a time, in the order in which turns were taken; different subscriptions do not wait
/// on each other.
/// </summary>
/// <remarks>
/// An endpoint that handles many messages at once starts them in no particular order, and a partitioner inside it comes too late. So the turn is
/// taken where the order is still known. On the in-memory bus that is where the message is sent, since queue and sender share the process.
/// <para>No deadlock: a message that is being handled waits only for messages that are being handled too, or have been ahead of it in the queue.</para>
/// </remarks>
public sealed class OrderedTurns
{
    private readonly Dictionary<Guid, Subscription> _subscriptions = [];
    private readonly Dictionary<long, Turn> _underWay = [];
    private readonly Lock _lock = new();
    private long _lastId;

    /// <summary>Subscriptions that somebody has a turn of.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _subscriptions.Count;
            }
        }
    }

    /// <summary>
    /// Takes the last place for a message that is about to be sent; its receiver claims it by <see cref="Turn.Id"/>. Taking and sending must
    /// not be overtaken by another message of the subscription.
    /// </summary>
    public Turn Take(Guid subscriptionId)
    {
        lock (_lock)
        {
            var turn = new Turn(this, ++_lastId, subscriptionId);
            _underWay.Add(turn.Id, turn);
            turn.Node = SubscriptionOf(subscriptionId).Waiting.AddLast(turn);
            return turn;
        }
    }

    /// <summary>
    /// The turn that travelled with a message; where there is none, or it was used before, the next place. What comes without a turn of its own was held
    /// back by the bus: it heads its subscription's waiting line, and the messages that wait here come after it.
    /// </summary>
    public Turn Claim(long? id, Guid subscriptionId)
    {
        lock (_lock)
        {
            if (id is { } known && _underWay.Remove(known, out var turn))
            {
                return turn;
            }

            turn = new Turn(this, ++_lastId, subscriptionId);
            turn.Node = SubscriptionOf(subscriptionId).Waiting.AddFirst(turn);
            return turn;
        }
    }

    private Subscription SubscriptionOf(Guid id)
    {
        if (!_subscriptions.TryGetValue(id, out var subscription))
        {
            _subscriptions.Add(id, subscription = new Subscription());
        }

        return subscription;
    }

    private Task StartAsync(Turn turn)
    {
        lock (_lock)
        {
            turn.IsHere = true;
            LetNextThrough(_subscriptions[turn.SubscriptionId]);
            return turn.Through.Task;
        }
    }

    private void End(Turn turn)
    {
        lock (_lock)
        {
            _underWay.Remove(turn.Id);
            var subscription = _subscriptions[turn.SubscriptionId];
            if (subscription.Current == turn)
            {
                subscription.Current = null;
            }
            else
            {
                subscription.Waiting.Remove(turn.Node!);
            }

            LetNextThrough(subscription);
            if (subscription is { Current: null, Waiting.Count: 0 })
            {
                _subscriptions.Remove(turn.SubscriptionId);
            }
        }
    }

    private static void LetNextThrough(Subscription subscription)
    {
        if (subscription.Current is null && subscription.Waiting.First is { Value.IsHere: true } next)
        {
            subscription.Current = next.Value;
            subscription.Waiting.RemoveFirst();
            next.Value.Through.TrySetResult();
        }
    }

    private sealed class Subscription
    {
        public Turn? Current { get; set; }

        public LinkedList<Turn> Waiting { get; } = [];
    }

    /// <summary>One message's place; dispose of it to let the next one through.</summary>
    public sealed class Turn : IDisposable
    {
        private readonly OrderedTurns _turns;
        private bool _ended;

        internal Turn(OrderedTurns turns, long id, Guid subscriptionId) => (_turns, Id, SubscriptionId) = (turns, id, subscriptionId);

        /// <summary>Identifies the turn within the process.</summary>
        public long Id { get; }

        /// <summary>The subscription whose turn it is.</summary>
        public Guid SubscriptionId { get; }

        internal LinkedListNode<Turn>? Node { get; set; }

        internal bool IsHere { get; set; }

        internal TaskCompletionSource Through { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Says that the message is here; completes when it is its turn.</summary>
        /// <exception cref="OperationCanceledException">The wait was cancelled.</exception>
        public Task WaitAsync(CancellationToken cancellationToken)
        {
            var through = _turns.StartAsync(this);
            return through.IsCompleted ? through : through.WaitAsync(cancellationToken);
        }

        /// <summary>Lets the next one through.</summary>
        public void Dispose()
        {
            if (!_ended)
            {
                _ended = true;
                _turns.End(this);
            }
        }
    }
}
