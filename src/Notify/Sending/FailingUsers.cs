namespace Notify.Sending;

/// <summary>Tells a push service that fails from one that fails at a few users: whoever can have it fail at their own subscriptions, of which each user may have many, must not silence all the others.</summary>
internal sealed class FailingUsers(TimeProvider time)
{
    /// <summary>From so many users on it is the push service.</summary>
    public const int Many = 10;

    /// <summary>How long they are remembered together.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly HashSet<string> _users = new(StringComparer.Ordinal);
    private long _since = time.GetTimestamp();

    /// <summary>Notes that a push to this user failed.</summary>
    /// <returns>Whether it did at many.</returns>
    public bool Add(string userId)
    {
        lock (_lock)
        {
            if (time.GetElapsedTime(_since) > Window)
            {
                _users.Clear();
                _since = time.GetTimestamp();
            }

            // No more need be known than that they are many.
            return (_users.Count >= Many || _users.Add(userId)) && _users.Count >= Many;
        }
    }
}
