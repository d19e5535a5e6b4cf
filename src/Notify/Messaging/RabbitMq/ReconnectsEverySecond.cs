using MassTransit;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Has each endpoint that has lost the broker try again after a second. MassTransit waits longer with each try, up to half a minute, and never begins anew: after one outage of a minute every
/// restart of the broker would cost half a minute, for as long as the process lives.
/// </summary>
/// <remarks>MassTransit (<c>ReceiveTransport.Run</c>) tells its observers why it failed, waits for their tasks, and counts the try unless it ends in a cancellation: a cancelled task makes it one.</remarks>
internal sealed class ReconnectsEverySecond : IReceiveEndpointObserver
{
    public Task Faulted(ReceiveEndpointFaulted faulted) =>
        faulted.Exception is ConnectionException && !IsRefused(faulted.Exception) ? Task.FromCanceled(new CancellationToken(canceled: true)) : Task.CompletedTask;

    public Task Ready(ReceiveEndpointReady ready) => Task.CompletedTask;

    public Task Stopping(ReceiveEndpointStopping stopping) => Task.CompletedTask;

    public Task Completed(ReceiveEndpointCompleted completed) => Task.CompletedTask;

    // What the broker refuses is as MassTransit has it: with a wrong password it ends the endpoint, with a queue that is declared otherwise or may not be used it waits longer each time.
    private static bool IsRefused(Exception? exception) => exception switch
    {
        null => false,
        AuthenticationFailureException or OperationInterruptedException { ShutdownReason.ReplyCode: Constants.AccessRefused or Constants.NotFound or Constants.ResourceLocked or Constants.PreconditionFailed } => true,
        _ => IsRefused(exception.InnerException),
    };
}
