using System.Collections.Concurrent;

namespace Notify.Telemetry;

/// <summary>The pushes that this worker is at, so that one which does not come to an end is seen.</summary>
public sealed class PushesInHand(TimeProvider time)
{
    private readonly ConcurrentDictionary<long, long> _begun = new();
    private long _last;

    /// <summary>How many there are.</summary>
    public int Count => _begun.Count;

    /// <summary>How long the one that was taken first has been in hand; zero if there is none.</summary>
    public TimeSpan Oldest
    {
        get
        {
            var first = long.MaxValue;
            foreach (var (_, begun) in _begun)
            {
                first = Math.Min(first, begun);
            }

            return first == long.MaxValue ? TimeSpan.Zero : time.GetElapsedTime(first);
        }
    }

    /// <summary>Takes one in hand; dispose of what is returned when it is done with.</summary>
    public Held Take()
    {
        var number = Interlocked.Increment(ref _last);
        _begun[number] = time.GetTimestamp();
        return new Held(this, number);
    }

    /// <summary>A push in hand.</summary>
    public readonly record struct Held : IDisposable
    {
        private readonly PushesInHand _owner;
        private readonly long _number;

        internal Held(PushesInHand owner, long number) => (_owner, _number) = (owner, number);

        /// <summary>It is done with.</summary>
        public void Dispose() => _owner._begun.TryRemove(_number, out _);
    }
}
