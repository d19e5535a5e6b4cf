namespace Notify.LocalPushService;

/// <summary>What happened so far. Thread-safe.</summary>
internal sealed class Counters
{
    private readonly long[] _byStatus = new long[600];
    private readonly SortedDictionary<int, long> _acknowledgements = [];
    private int _subscriptions;
    private int _userAgents;
    private long _accepted;
    private long _resets;
    private long _replaced;
    private long _expired;
    private long _dropped;

    public int Subscriptions => Volatile.Read(ref _subscriptions);

    public int UserAgents => Volatile.Read(ref _userAgents);

    public long AcceptedPushes => Volatile.Read(ref _accepted);

    public void SubscriptionAdded() => Interlocked.Increment(ref _subscriptions);

    public void SubscriptionRemoved() => Interlocked.Decrement(ref _subscriptions);

    public void UserAgentConnected() => Interlocked.Increment(ref _userAgents);

    public void UserAgentDisconnected() => Interlocked.Decrement(ref _userAgents);

    public void Accepted() => Interlocked.Increment(ref _accepted);

    public void Answered(int status) => Interlocked.Increment(ref _byStatus[status]);

    public void ConnectionReset() => Interlocked.Increment(ref _resets);

    public void Replaced(int count) => Interlocked.Add(ref _replaced, count);

    public void Expired(int count) => Interlocked.Add(ref _expired, count);

    public void Dropped(int count) => Interlocked.Add(ref _dropped, count);

    public void Acknowledged(int code)
    {
        lock (_acknowledgements)
        {
            _acknowledgements[code] = _acknowledgements.GetValueOrDefault(code) + 1;
        }
    }

    public LocalPushStatus Snapshot(int stored, int faults)
    {
        SortedDictionary<int, long> byStatus = [];
        for (int status = 0; status < _byStatus.Length; status++)
        {
            if (Volatile.Read(ref _byStatus[status]) is > 0 and long count)
            {
                byStatus[status] = count;
            }
        }

        SortedDictionary<int, long> acknowledgements;
        lock (_acknowledgements)
        {
            acknowledgements = new SortedDictionary<int, long>(_acknowledgements);
        }

        return new LocalPushStatus
        {
            Subscriptions = Subscriptions,
            ConnectedUserAgents = UserAgents,
            Accepted = AcceptedPushes,
            AnswersByStatus = byStatus,
            AcknowledgementsByCode = acknowledgements,
            Resets = Volatile.Read(ref _resets),
            Stored = stored,
            Replaced = Volatile.Read(ref _replaced),
            Expired = Volatile.Read(ref _expired),
            Dropped = Volatile.Read(ref _dropped),
            Faults = faults,
        };
    }
}
