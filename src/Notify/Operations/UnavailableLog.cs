namespace Notify.Operations;

/// <summary>Tells of requests that are answered 503, the first in a minute: while something is away, each would say the same.</summary>
internal sealed partial class UnavailableLog(TimeProvider time, ILogger<UnavailableLog> logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private long? _toldAt;

    public void Note(Exception exception)
    {
        lock (_lock)
        {
            if (_toldAt is { } told && time.GetElapsedTime(told) < Interval)
            {
                return;
            }

            _toldAt = time.GetTimestamp();
        }

        LogUnavailable(exception);
    }

    [LoggerMessage(LogLevel.Warning, "A request is answered 503, since what it needs does not answer in time; others of this minute are not told of")]
    private partial void LogUnavailable(Exception exception);
}
