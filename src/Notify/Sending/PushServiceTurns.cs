namespace Notify.Sending;

/// <summary>
/// When those ask again that one push service does not take just now: one after the other, as if they stood in a line. Else all would come back, and be refused, at the same moment, with the
/// pushes to others behind them.
/// </summary>
internal sealed class PushServiceTurns(TimeProvider time)
{
    /// <summary>The line is no longer, so that it is not still long when there is no need for it any more. Whoever finds it so long comes after it, in no order.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    // Those that find it so long must not come back all at once.
    private const double Crowd = 0.5;

    private readonly Lock _lock = new();
    private DateTimeOffset _last;

    /// <summary>How long until the next turn.</summary>
    /// <param name="soonest">It is later than that.</param>
    /// <param name="pace">From one turn to the next.</param>
    /// <param name="left">Who asks has no use for one that is no sooner than this, and takes none from the others.</param>
    public TimeSpan Next(TimeSpan soonest, TimeSpan pace, TimeSpan left)
    {
        lock (_lock)
        {
            var now = time.GetUtcNow();
            var first = now + soonest;
            var turn = (_last > first ? _last : first) + pace;
            if (turn > first + Longest)
            {
                return soonest + (Longest * (1 + (Crowd * Random.Shared.NextDouble())));
            }

            if (turn < now + left)
            {
                _last = turn;
            }

            return turn - now;
        }
    }
}
