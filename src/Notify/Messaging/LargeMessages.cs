namespace Notify.Messaging;

/// <summary>Lets a few large events at once be read: read, one takes twenty times its size, and the memory is the process's.</summary>
internal static class LargeMessages
{
    /// <summary>How many are read at once.</summary>
    internal const int MostAtOnce = 4;

    /// <summary>Bodies of up to so many bytes are not counted: an event to some thousand recipients.</summary>
    internal const int LargeBody = 128 * 1024;

    /// <summary>The places of those from the bus: what a lost channel delivered may still be under way beside what the next one does.</summary>
    public static SemaphoreSlim FromTheBus { get; } = new(MostAtOnce);

    /// <summary>Those of what comes over HTTP, which does not wait for what the bus waits for.</summary>
    public static SemaphoreSlim OverHttp { get; } = new(MostAtOnce);

    /// <summary>Whether a body of so many bytes needs a place.</summary>
    public static bool IsLarge(long? bytes) => bytes > LargeBody;

    /// <summary>Waits for a place; dispose of it when the message is done with.</summary>
    public static async Task<IDisposable> TakePlaceAsync(SemaphoreSlim places, CancellationToken cancellationToken)
    {
        await places.WaitAsync(cancellationToken);
        return new Place(places);
    }

    /// <summary>Waits for a place for so long.</summary>
    /// <exception cref="TimeoutException">None came free.</exception>
    public static async Task<IDisposable> TakePlaceAsync(SemaphoreSlim places, TimeSpan patience, CancellationToken cancellationToken) =>
        await places.WaitAsync(patience, cancellationToken) ? new Place(places) : throw new TimeoutException("The limit of large events that are read at once is reached.");

    private sealed class Place(SemaphoreSlim places) : IDisposable
    {
        public void Dispose() => places.Release();
    }
}
