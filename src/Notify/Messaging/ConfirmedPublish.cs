using MassTransit;

namespace Notify.Messaging;

/// <summary>Publishes what a request brings past the outbox, since no row changes with it: what is answered is what the bus has confirmed.</summary>
internal static class ConfirmedPublish
{
    /// <summary>How long the bus may take. One whose broker is away would take until it is back, and the requests would pile up.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <exception cref="TimeoutException">It was not confirmed in time; it may be published all the same.</exception>
    public static async Task PublishInTimeAsync<T>(this IBus bus, T message, TimeProvider time, CancellationToken cancellationToken, bool mandatory = false)
        where T : class
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await bus.Publish(message, context => context.Mandatory = mandatory, either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException("The bus has not confirmed it in time.");
        }
    }
}
