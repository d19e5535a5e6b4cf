using Notify.WebPush;

namespace Notify.Sending;

/// <summary>How long a push service wants to be left alone (Retry-After, RFC 9110 section 10.2.3): by one subscription, or, once it has said so to several, by all.</summary>
internal sealed class PushServiceRests(TimeSpan longestOfAll, TimeProvider time)
{
    // Distinct users, and none accepted in between: one device may be throttled for itself (Apple's 429), and must not silence all the others, however many subscriptions its user has there.
    private const int ThrottledInARow = 3;

    private readonly Lock _lock = new();
    private readonly HashSet<string> _throttled = new(StringComparer.Ordinal);
    private readonly Dictionary<Guid, DateTimeOffset> _resting = [];
    private DateTimeOffset _restUntil;
    private int _forgetAt = 1024;

    /// <summary>How much longer it is to be left alone by all; zero or less if it is not.</summary>
    public TimeSpan Left
    {
        get
        {
            lock (_lock)
            {
                return _restUntil - time.GetUtcNow();
            }
        }
    }

    /// <summary>Subscriptions that were to leave it alone, among them some whose time has passed.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _resting.Count;
            }
        }
    }

    /// <summary>How much longer it is to be left alone by this subscription; zero or less if it is not.</summary>
    public TimeSpan LeftOf(Guid subscriptionId)
    {
        lock (_lock)
        {
            return _resting.GetValueOrDefault(subscriptionId) - time.GetUtcNow();
        }
    }

    /// <summary>It is to be left alone by this subscription for so long.</summary>
    public void Add(Guid subscriptionId, TimeSpan rest)
    {
        lock (_lock)
        {
            _resting[subscriptionId] = time.GetUtcNow() + rest;
            ForgetPast();
        }
    }

    /// <summary>Notes an answer.</summary>
    /// <returns>How long it is to be left alone by all, if that is news; else null.</returns>
    public TimeSpan? Note(string userId, PushOutcome outcome)
    {
        lock (_lock)
        {
            if (outcome is not PushOutcome.RetryLater later)
            {
                _throttled.Clear();
                return null;
            }

            var now = time.GetUtcNow();
            if (_restUntil != default && _restUntil <= now)
            {
                // A rest that is over has told nothing of the next one.
                _throttled.Clear();
                _restUntil = default;
            }

            if (later.RetryAfter is not { } asked || asked <= TimeSpan.Zero || !_throttled.Add(userId) || _throttled.Count < ThrottledInARow)
            {
                return null;
            }

            var rest = asked < longestOfAll ? asked : longestOfAll;
            var isNews = _restUntil < now;
            if (now + rest <= _restUntil)
            {
                return null;
            }

            _restUntil = now + rest;
            return isNews ? rest : null;
        }
    }

    // Each time that as many again have come together.
    private void ForgetPast()
    {
        if (_resting.Count < _forgetAt)
        {
            return;
        }

        var now = time.GetUtcNow();
        foreach (var subscriptionId in _resting.Where(each => each.Value <= now).Select(each => each.Key).ToList())
        {
            _resting.Remove(subscriptionId);
        }

        _forgetAt = Math.Max(1024, 2 * _resting.Count);
    }
}
