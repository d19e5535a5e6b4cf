namespace Notify.Messaging;

/// <summary>Lets a few large events at once be read, whether they come from the bus or over HTTP: read, one takes twenty times its size, and the memory is the process's.</summary>
internal static class LargeMessages
{
    /// <summary>How many are read at once.</summary>
    internal const int MostAtOnce = 4;

    /// <summary>Bodies of up to so many bytes are not counted: an event to some thousand recipients.</summary>
    internal const int LargeBody = 128 * 1024;

    private static readonly SemaphoreSlim Places = new(MostAtOnce);

    /// <summary>Whether a body of so many bytes needs a place.</summary>
    public static bool IsLarge(long? bytes) => bytes > LargeBody;

    /// <summary>Waits for a place; dispose of it when the message is done with.</summary>
    public static async Task<IDisposable> TakePlaceAsync(CancellationToken cancellationToken)
    {
        await Places.WaitAsync(cancellationToken);
        return new Place();
    }

    private sealed class Place : IDisposable
    {
        public void Dispose() => Places.Release();
    }
}
