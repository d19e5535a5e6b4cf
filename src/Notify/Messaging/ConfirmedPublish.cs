namespace Notify.Messaging;

/// <summary>The time that publishing over HTTP may take: past the outbox, since no row changes with it, so that what is answered is what the bus has confirmed.</summary>
internal static class ConfirmedPublish
{
    /// <summary>A bus whose broker is away would take until it is back, and the requests would pile up.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Publishes, or gives it up when that time is over.</summary>
    /// <param name="publish">Publishes, unless it is told to give up; whether it listens or not, nobody waits longer.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Gives up earlier.</param>
    /// <exception cref="TimeoutException">It was not confirmed in time; it may be published all the same.</exception>
    public static async Task<T> InTimeAsync<T>(Func<CancellationToken, Task<T>> publish, TimeProvider time, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            return await publish(either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException("The bus has not confirmed it in time.");
        }
    }
}
