namespace Notify.Store;

/// <summary>
/// For what must be read or written where a consumer cannot begin anew: up to seven tries, of which the first to fail after ten seconds is the last. How long one takes is up to the database
/// and its own retries (<see cref="StoreSetup"/>): seconds where it is away, minutes where it keeps a lock back.
/// </summary>
internal static class Patience
{
    private const int Tries = 7;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(150);

    /// <summary>Does this work, and does it again where it fails; what it throws at last is not caught.</summary>
    /// <param name="time">The clock.</param>
    /// <param name="work">The work.</param>
    /// <param name="isNoFailure">What it throws at once, since somebody else waits for its end; null for nothing.</param>
    public static async Task<T> TryAsync<T>(TimeProvider time, Func<Task<T>> work, Func<Exception, bool>? isNoFailure = null)
    {
        var started = time.GetTimestamp();
        for (var tried = 1; ; tried++)
        {
            try
            {
                return await work();
            }
            catch (Exception exception) when (exception is not OperationCanceledException && isNoFailure?.Invoke(exception) != true && tried < Tries && time.GetElapsedTime(started) < Limit)
            {
                await Task.Delay(FirstWait * Math.Pow(2, tried - 1), time);
            }
        }
    }
}
