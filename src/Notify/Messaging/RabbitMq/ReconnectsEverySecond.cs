using MassTransit;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Has each endpoint that has lost the broker try again after a second, and after ten where it refuses user or password. MassTransit waits longer with each try, up to half a minute, and never
/// begins anew: after one outage of a minute every restart of the broker would cost half a minute, for as long as the process lives. What is refused by password it never tries again.
/// </summary>
/// <remarks>MassTransit (<c>ReceiveTransport.Run</c>) tells its observers why it failed, waits for their tasks, and counts the try unless it ends in a cancellation: a cancelled task makes it one.</remarks>
internal sealed partial class ReconnectsEverySecond(IHostApplicationLifetime host, TimeProvider time, ILogger<ReconnectsEverySecond> logger) : IReceiveEndpointObserver
{
    // Of many endpoints; and whoever keeps the users may lock one out that is refused too often.
    private static readonly TimeSpan RestAfterRefusal = TimeSpan.FromSeconds(10);

    private int _isRefused;

    public async Task Faulted(ReceiveEndpointFaulted faulted)
    {
        if (faulted.Exception is not ConnectionException || IsRefusedByBroker(faulted.Exception))
        {
            return;
        }

        if (IsRefusedByName(faulted.Exception))
        {
            if (Interlocked.Exchange(ref _isRefused, 1) == 0)
            {
                LogRefused(RestAfterRefusal);
            }

            await Task.Delay(RestAfterRefusal, time, host.ApplicationStopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        throw new OperationCanceledException();
    }

    public Task Ready(ReceiveEndpointReady ready)
    {
        _isRefused = 0;
        return Task.CompletedTask;
    }

    public Task Stopping(ReceiveEndpointStopping stopping) => Task.CompletedTask;

    public Task Completed(ReceiveEndpointCompleted completed) => Task.CompletedTask;

    private static bool IsRefusedByName(Exception? exception) => exception is not null && (exception is AuthenticationFailureException || IsRefusedByName(exception.InnerException));

    // As MassTransit has it: with a queue that is declared otherwise or may not be used it waits longer each time.
    private static bool IsRefusedByBroker(Exception? exception) => exception switch
    {
        null => false,
        OperationInterruptedException { ShutdownReason.ReplyCode: Constants.AccessRefused or Constants.NotFound or Constants.ResourceLocked or Constants.PreconditionFailed } => true,
        _ => IsRefusedByBroker(exception.InnerException),
    };

    [LoggerMessage(LogLevel.Error, "RabbitMQ refuses the user or the password of ConnectionStrings__RabbitMq, which it took before. It is tried again every {Rest}; a new password takes a restart")]
    private partial void LogRefused(TimeSpan rest);
}
