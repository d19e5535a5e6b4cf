using MassTransit;
using MassTransit.RabbitMqTransport;
using MassTransit.Serialization;

namespace Notify.Messaging.RabbitMq.Delays;

/// <summary>
/// Redelivers a message through <see cref="DelayQueues"/>: (1) sees to the queue, (2) sends a copy there, with its own queue as the routing key, and (3) returns
/// when the broker has confirmed the copy, so that the original can be acknowledged.
/// </summary>
/// <remarks>
/// MassTransit finds it as the <see cref="MessageRedeliveryContext"/> of the consume context, where <c>UseDelayedRedelivery</c> and <c>context.Redeliver</c> look for one.
/// </remarks>
internal sealed class DelayQueueRedeliveryContext<T>(ConsumeContext<T> context, TimeProvider time) : MessageRedeliveryContext
    where T : class
{
    public Task ScheduleRedelivery(TimeSpan delay, Action<ConsumeContext, SendContext>? callback = null) =>
        SendAsync(time.GetUtcNow() + delay, delay, send =>
        {
            send.Headers.Set(MessageHeaders.RedeliveryCount, context.GetRedeliveryCount() + 1);
            callback?.Invoke(context, send);
        });

    /// <summary>Holds a message back that has come before its time.</summary>
    public Task HoldAsync(DateTimeOffset notBefore) => SendAsync(notBefore, notBefore - time.GetUtcNow(), _ => { });

    private async Task SendAsync(DateTimeOffset notBefore, TimeSpan delay, Action<SendContext<T>> configure)
    {
        // (1)
        var rung = DelayQueues.RungFor(delay);
        await DelayQueues.DeclareAsync(context.ReceiveContext.GetPayload<ConnectionContext>(), rung, time).WaitAsync(context.CancellationToken);

        // (2) and (3)
        var endpoint = await context.GetSendEndpoint(new Uri($"exchange:{DelayQueues.NameOf(rung)}"));
        await endpoint.Send(context.Message, new ForwardMessagePipe<T>(context, Pipe.Execute<SendContext<T>>(send =>
        {
            send.SetRoutingKey(context.ReceiveContext.GetPayload<ReceiveSettings>().QueueName);
            send.RequireQueue();

            // Whatever priority it had, all of a delay queue have one: of two, a message whose time is up might wait behind one whose time is not.
            send.SetPriority(Priorities.High);
            send.Headers.Set(DelayQueues.NotBeforeHeader, rung < delay ? notBefore.ToUnixTimeMilliseconds() : (long?)null);
            configure(send);
        })), context.CancellationToken);
    }
}
