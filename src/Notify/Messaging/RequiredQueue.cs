using MassTransit;

namespace Notify.Messaging;

/// <summary>Commands must find a queue; events that nobody listens to may vanish.</summary>
internal static class RequiredQueue
{
    /// <summary>Has the broker return a message that no queue takes; sending it then throws <see cref="MessageReturnedException"/>.</summary>
    public static void RequireQueue(this SendContext context)
    {
        if (context.TryGetPayload(out RabbitMqSendContext? rabbit))
        {
            rabbit.Mandatory = true;
        }
    }
}
