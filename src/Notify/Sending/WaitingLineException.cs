using Notify.Store;

namespace Notify.Sending;

/// <summary>
/// The store could not be read or written however often it was tried (<see cref="StoreOutage.InsistAsync"/>), while a push had to be noted: as a rule one that was made already. It is not retried as a
/// whole, since that would make such a push again; on RabbitMQ the command goes to the error queue.
/// </summary>
public sealed class WaitingLineException(Exception innerException)
    : Exception($"The waiting line could not be read or written: {innerException.Message}", innerException)
{
    /// <summary>Does the work as <see cref="StoreOutage.InsistAsync"/> does.</summary>
    /// <exception cref="WaitingLineException">It failed to the last.</exception>
    internal static async Task<T> InsistAsync<T>(StoreOutage outage, Func<Task<T>> work)
    {
        try
        {
            return await outage.InsistAsync(work);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            throw new WaitingLineException(exception);
        }
    }
}
