using Notify.Store;

namespace Notify.Sending;

/// <summary>
/// The store could not be read or written however often it was tried (<see cref="Patience"/>), while a push had to be noted: as a rule one that was made already. It is not retried as a
/// whole, since that would make such a push again; on RabbitMQ the command goes to the error queue.
/// </summary>
public sealed class WaitingLineException(Exception innerException)
    : Exception($"The waiting line could not be read or written: {innerException.Message}", innerException)
{
    /// <summary>Tries as <see cref="Patience"/> does, and waits as long as the store is away: anew each time that it is back.</summary>
    /// <exception cref="WaitingLineException">It failed to the last.</exception>
    internal static async Task<T> PatientlyAsync<T>(TimeProvider time, StoreOutage outage, Func<Task<T>> work)
    {
        try
        {
            return await outage.WaitOutAsync(() => Patience.TryAsync(time, work, StoreAway.IsSaidBy));
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            throw new WaitingLineException(exception);
        }
    }
}
