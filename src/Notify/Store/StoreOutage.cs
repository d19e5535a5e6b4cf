namespace Notify.Store;

/// <summary>Waits for the database to come back: whoever asks for something meanwhile takes no more from the bus, and loses nothing.</summary>
/// <param name="time">The clock.</param>
/// <param name="logger">Where it is told that the database is away, and that it is back.</param>
/// <param name="waiting">What that means meanwhile.</param>
internal sealed partial class StoreOutage(TimeProvider time, ILogger logger, string waiting = "pushes wait for it") : IDisposable
{
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
