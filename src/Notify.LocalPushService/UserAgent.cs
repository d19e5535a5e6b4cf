namespace Notify.LocalPushService;

/// <summary>
/// A user agent as the push service knows it: its channels, what waits for it, and its connection while it has one.
/// A push message waits until it is acknowledged or its TTL is out, and is sent again on the next connection.
/// </summary>
internal sealed class UserAgent(string id, SubscriptionStore store)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Subscription> _channels = new(StringComparer.OrdinalIgnoreCase);
    private BrowserConnection? _connection;

    public string Id => id;

    /// <summary>Makes <paramref name="connection"/> the one that is delivered to, and sends it what waits. The newer wins.</summary>
    public void Attach(BrowserConnection connection, ReadOnlyMemory<byte> helloReply)
    {
        BrowserConnection? older;
        lock (_lock)
        {
            older = _connection;
            _connection = connection;
            connection.Send(helloReply);
            DateTimeOffset now = store.TimeProvider.GetUtcNow();
            List<StoredPush> waiting = [];
            foreach (Subscription subscription in _channels.Values)
            {
                RemoveExpired(subscription, now);
                waiting.AddRange(subscription.Pending);
            }

            waiting.Sort((a, b) => a.Sequence.CompareTo(b.Sequence));
            foreach (StoredPush push in waiting)
            {
                connection.Send(push);
            }
        }

        store.Counters.UserAgentConnected();
        if (older is not null)
        {
            store.Counters.UserAgentDisconnected();
            older.CloseAsReplaced();
        }
    }

    public void Detach(BrowserConnection connection)
    {
        lock (_lock)
        {
            if (_connection != connection)
            {
                return;
            }

            _connection = null;
        }

        store.Counters.UserAgentDisconnected();
    }

    /// <summary>The subscription of a channel: the one it has when the key is the same, otherwise a new one.</summary>
    public Subscription Register(string channelId, byte[]? applicationServerKey)
    {
        lock (_lock)
        {
            if (_channels.TryGetValue(channelId, out Subscription? known))
            {
                if (!known.IsGone && known.ApplicationServerKey.AsSpan().SequenceEqual(applicationServerKey))
                {
                    return known;
                }

                Forget(known);
            }

            Subscription subscription = store.Create(this, channelId, applicationServerKey);
            _channels[channelId] = subscription;
            return subscription;
        }
    }

    public void Unregister(string channelId)
    {
        lock (_lock)
        {
            if (_channels.Remove(channelId, out Subscription? subscription))
            {
                Forget(subscription);
            }
        }
    }

    /// <summary>The push service loses the subscription; the user agent does not know.</summary>
    public void Lose(Subscription subscription)
    {
        lock (_lock)
        {
            Forget(subscription);
        }
    }

    /// <summary>Sends a push message if the user agent is there, keeps it until it is acknowledged if it has a TTL.</summary>
    public Refusal? Deliver(Subscription subscription, PushHeaders headers, ReadOnlyMemory<byte> body, out StoredPush? push)
    {
        lock (_lock)
        {
            push = null;
            if (subscription.IsGone)
            {
                return Refusal.Gone;
            }

            if (!body.IsEmpty)
            {
                if (subscription.HasUsed(body.Span))
                {
                    return Refusal.Reused;
                }

                subscription.MarkUsed(body.Span);
            }

            DateTimeOffset now = store.TimeProvider.GetUtcNow();
            push = store.CreatePush(subscription, headers, now, body);
            if (headers.Topic is not null)
            {
                // RFC 8030, section 5.4: the newer push message of a topic takes the older one's place.
                store.Counters.Replaced(subscription.Pending.RemoveAll(older => older.Topic == headers.Topic));
            }

            if (headers.Ttl > 0)
            {
                Keep(subscription, push, now);
            }
            else if (_connection is null)
            {
                store.Counters.Dropped(1);
            }

            _connection?.Send(push);
            return null;
        }
    }

    public void Acknowledge(string channelId, string version)
    {
        lock (_lock)
        {
            if (_channels.TryGetValue(channelId, out Subscription? subscription))
            {
                int index = subscription.Pending.FindIndex(push => push.Version == version);
                if (index >= 0)
                {
                    subscription.Pending.RemoveAt(index);
                }
            }
        }
    }

    public int CountPending()
    {
        lock (_lock)
        {
            DateTimeOffset now = store.TimeProvider.GetUtcNow();
            return _channels.Values.Sum(subscription => subscription.Pending.Count(push => push.Expires > now));
        }
    }

    public void CloseConnection()
    {
        lock (_lock)
        {
            _connection?.CloseAsGoingAway();
        }
    }

    private void Keep(Subscription subscription, StoredPush push, DateTimeOffset now)
    {
        if (subscription.Pending.Count >= store.MaxStoredPerSubscription)
        {
            RemoveExpired(subscription, now);
            if (subscription.Pending.Count >= store.MaxStoredPerSubscription)
            {
                subscription.Pending.RemoveAt(0);
                store.Counters.Dropped(1);
            }
        }

        subscription.Pending.Add(push);
    }

    private void RemoveExpired(Subscription subscription, DateTimeOffset now) =>
        store.Counters.Expired(subscription.Pending.RemoveAll(push => push.Expires <= now));

    private void Forget(Subscription subscription)
    {
        if (!subscription.IsGone)
        {
            subscription.Forget();
            store.Counters.SubscriptionRemoved();
        }
    }
}
