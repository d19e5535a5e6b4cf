using MassTransit;
using MassTransit.Middleware.Rescue;
using MassTransit.Transports;

namespace Notify.Messaging;

/// <summary>The queue's own <c>_error</c> queue, for what failed without an exception.</summary>
internal static class ErrorQueue
{
    /// <summary>Puts a copy of the message where MassTransit puts one whose consumer threw, with the reason in its headers.</summary>
    public static async Task KeepInErrorQueueAsync(this ConsumeContext context, string reason)
    {
        if (context.ReceiveContext.TryGetPayload(out IErrorTransport? transport))
        {
            await transport.Send(new RescueExceptionReceiveContext(context.ReceiveContext, new GivenUpException(reason)));
        }
    }

    private sealed class GivenUpException(string reason) : Exception(reason);
}
