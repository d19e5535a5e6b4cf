using System.Diagnostics.CodeAnalysis;

namespace Notify.Sending;

/// <summary>
/// The places of one push service: so many POSTs are under way at once. Where none is free a push waits for one, unless the push service is slow: pushes that wait here stand where those to
/// other push services would pass.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore of which no wait handle is asked for holds nothing to dispose of, and pushes may be under way when a gate is forgotten.")]
internal sealed class PushServicePlaces(int count, TimeProvider time)
{
    /// <summary>All places taken, and none free again for this long, or only ever after this long: others wait no more for one.</summary>
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(2);

    /// <summary>All places taken, each for this long on average: no more wait than half as many as there are places.</summary>
    private static readonly TimeSpan Sluggish = TimeSpan.FromSeconds(0.5);

    private static readonly TimeSpan SoonestTurn = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _free = new(count);
    private readonly PushServiceTurns _turns = new(time);
    private readonly Lock _lock = new();
    private long _lastMoved = time.GetTimestamp();
    private int _waiting;
    private double _averageSeconds;

    /// <summary>Those that are taken.</summary>
    public int Taken => count - _free.CurrentCount;

    /// <summary>Takes a place, and waits for it if need be.</summary>
    /// <returns>False if the push service is slow: then there is none, and <see cref="NextTurn"/> says when to ask again.</returns>
    public async ValueTask<bool> TakeAsync(CancellationToken cancellationToken)
    {
        if (!_free.Wait(0, CancellationToken.None) && !await WaitAsync(cancellationToken))
        {
            return false;
        }

        if (Taken == 1)
        {
            // The first after a rest: it is from now on that it should move.
            Moved();
        }

        return true;
    }

    /// <summary>Gives a place back.</summary>
    public void Release()
    {
        Moved();
        _free.Release();
    }

    /// <summary>Notes how long a POST took.</summary>
    public void Note(TimeSpan took)
    {
        lock (_lock)
        {
            _averageSeconds = (0.9 * _averageSeconds) + (0.1 * took.TotalSeconds);
        }
    }

    /// <summary>When to ask again: by the pace at which it takes pushes. Where it has given none back for long, that is what each takes at least.</summary>
    /// <param name="left">How long the push is worth sending.</param>
    public TimeSpan NextTurn(TimeSpan left)
    {
        var (average, since) = (Volatile.Read(ref _averageSeconds), time.GetElapsedTime(Interlocked.Read(ref _lastMoved)).TotalSeconds);
        var pace = TimeSpan.FromSeconds(Math.Max(average, since) / count);
        var turn = _turns.Next(TimeSpan.Zero, pace, left);
        return turn > SoonestTurn ? turn : SoonestTurn;
    }

    private async Task<bool> WaitAsync(CancellationToken cancellationToken)
    {
        var waiting = Interlocked.Increment(ref _waiting);
        try
        {
            while (!IsSlow(waiting))
            {
                if (await _free.WaitAsync(Slow, cancellationToken))
                {
                    return true;
                }

                waiting = Volatile.Read(ref _waiting);
            }

            return false;
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private bool IsSlow(int waiting)
    {
        var average = Volatile.Read(ref _averageSeconds);
        return time.GetElapsedTime(Interlocked.Read(ref _lastMoved)) > Slow || average > Slow.TotalSeconds || (average > Sluggish.TotalSeconds && waiting > Math.Max(1, count / 2));
    }

    private void Moved() => Interlocked.Exchange(ref _lastMoved, time.GetTimestamp());
}
