namespace Notify.Store;

/// <summary>
/// For what must be read or written where a consumer cannot begin anew. It waits for a database that is away to come back: whoever asks for something meanwhile takes no more from the bus, and
/// loses nothing. Who else tries again, and when, is in docs/architecture.md.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="logger">Where it is told that the database is away, and that it is back.</param>
/// <param name="waiting">What that means meanwhile.</param>
internal sealed partial class StoreOutage(TimeProvider time, ILogger logger, string waiting = "pushes wait for it") : IDisposable
{
    private const int Tries = 7;

    private static readonly TimeSpan TriesFor = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(150);

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _end = new();
    private int _isAway;

    /// <summary>Does the work, again and again while the database is away.</summary>
    /// <exception cref="OperationCanceledException">The process ends, or it was given up, and the database is still away.</exception>
    public async Task<T> WaitOutAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            try
            {
                var result = await work();
                if (Interlocked.Exchange(ref _isAway, 0) == 1)
                {
                    LogBack();
                }

                return result;
            }
            catch (Exception exception) when (StoreAway.IsSaidBy(exception))
            {
                if (Interlocked.Exchange(ref _isAway, 1) == 0)
                {
                    LogAway(exception, waiting);
                }

                using var either = CancellationTokenSource.CreateLinkedTokenSource(_end.Token, cancellationToken);
                await Task.Delay(Interval, time, either.Token);
            }
        }
    }

    /// <summary>Does the work, again where it fails, and again and again while the database is away.</summary>
    /// <inheritdoc cref="TryAsync{T}(Func{Task{T}})" path="/remarks" />
    public Task<T> InsistAsync<T>(Func<Task<T>> work) => WaitOutAsync(() => TryAsync(work, StoreAway.IsSaidBy));

    /// <summary>Does the work, and again where it fails; what it throws at last is not caught.</summary>
    /// <remarks>
    /// Seven tries at most, of which the first to fail after ten seconds is the last. How long one takes is up to the database and its own retries (<see cref="StoreSetup"/>): seconds where it
    /// is away, minutes where it keeps a lock back.
    /// </remarks>
    public Task<T> TryAsync<T>(Func<Task<T>> work) => TryAsync(work, isNoFailure: static _ => false);

    private async Task<T> TryAsync<T>(Func<Task<T>> work, Func<Exception, bool> isNoFailure)
    {
        var started = time.GetTimestamp();
        for (var tried = 1; ; tried++)
        {
            try
            {
                return await work();
            }
            catch (Exception exception) when (exception is not OperationCanceledException && !isNoFailure(exception) && tried < Tries && time.GetElapsedTime(started) < TriesFor)
            {
                await Task.Delay(FirstWait * Math.Pow(2, tried - 1), time);
            }
        }
    }

    public void Dispose()
    {
        _end.Cancel();
        _end.Dispose();
    }

    [LoggerMessage(LogLevel.Warning, "The database is away: {Waiting}")]
    private partial void LogAway(Exception exception, string waiting);

    [LoggerMessage(LogLevel.Information, "The database is back")]
    private partial void LogBack();
}
