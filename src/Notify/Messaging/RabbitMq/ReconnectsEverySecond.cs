using MassTransit;
using RabbitMQ.Client.Exceptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Has each endpoint that has lost the broker try again after a second. MassTransit waits three seconds the first time and three more each further time, up to thirty, and never begins anew: after one
/// outage of a minute every restart of the broker would cost half a minute, for as long as the process lives.
/// </summary>
/// <remarks>It counts what ends otherwise than by a cancellation (<c>ReceiveTransport.Run</c>), and what comes of telling its observers takes the place of what it told them.</remarks>
internal sealed class ReconnectsEverySecond : IReceiveEndpointObserver
{
    /// <inheritdoc />
    public Task Faulted(ReceiveEndpointFaulted faulted) =>
        faulted.Exception is ConnectionException && !IsRefused(faulted.Exception) ? Task.FromCanceled(new CancellationToken(canceled: true)) : Task.CompletedTask;

    /// <inheritdoc />
    public Task Ready(ReceiveEndpointReady ready) => Task.CompletedTask;

    /// <inheritdoc />
    public Task Stopping(ReceiveEndpointStopping stopping) => Task.CompletedTask;

    /// <inheritdoc />
    public Task Completed(ReceiveEndpointCompleted completed) => Task.CompletedTask;

    // Another try with the same password would fare no better.
    private static bool IsRefused(Exception? exception) => exception is not null && (exception is AuthenticationFailureException || IsRefused(exception.InnerException));
}
