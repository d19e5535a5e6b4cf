using MassTransit;
using MassTransit.Logging;
using MassTransit.RabbitMqTransport;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// The channel of a queue of which many messages are handled at once: (1) hands each message over without waiting for its end, in the order of their delivery; (2) acknowledges
/// many at once.
/// </summary>
/// <remarks>
/// A channel as it is has one task for each message that it may hand over at once, and wakes all of them that are idle for each message: with a thousand of them that costs more
/// than most messages do.
/// </remarks>
internal sealed class HandoverChannelContext : ScopeChannelContext, ChannelContext, IAsyncDisposable
{
    private readonly Acknowledgements _acknowledgements;
    private readonly ILogContext? _log = LogContext.Current;

    public HandoverChannelContext(ChannelContext context)
        : base(context, context.CancellationToken) =>
        // By the system's clock, whatever a test's does: nobody is told of this time.
        _acknowledgements = new Acknowledgements((deliveryTag, multiple) => context.BasicAck(deliveryTag, multiple, context.CancellationToken), CloseAsync, TimeProvider.System);

    /// <summary>The order in which its messages were delivered.</summary>
    public DeliveryOrder Order { get; } = new();

    // (1)
    Task<string> ChannelContext.BasicConsume(
        string queue, bool noAck, bool exclusive, IDictionary<string, object> arguments, IAsyncBasicConsumer consumer, string consumerTag, CancellationToken cancellationToken) =>
        BasicConsume(queue, noAck, exclusive, arguments, new HandoverConsumer(consumer, Order, _acknowledgements), consumerTag, cancellationToken);

    // (2), which MassTransit does one by one. Not cancelled with the message: it has been handled.
    ValueTask ChannelContext.BasicAck(ulong deliveryTag, bool multiple, CancellationToken cancellationToken) =>
        _acknowledgements.TryAdd(deliveryTag) ? ValueTask.CompletedTask : new(AcknowledgeLastAsync(deliveryTag));

    // The consumer stops. What is handled from now on it must know to be acknowledged: it waits for the last of its messages, and then the channel may close at any time.
    async Task ChannelContext.BasicCancel(string consumerTag, CancellationToken cancellationToken)
    {
        await _acknowledgements.EndAsync().WaitAsync(cancellationToken);
        await BasicCancel(consumerTag, cancellationToken);
    }

    async Task ChannelContext.BasicNack(ulong deliveryTag, bool multiple, bool requeue, CancellationToken cancellationToken)
    {
        await BasicNack(deliveryTag, multiple, requeue, cancellationToken);
        _acknowledgements.GivenBack(deliveryTag);
    }

    public async ValueTask DisposeAsync()
    {
        await _acknowledgements.DisposeAsync();
        Dispose();
    }

    // After those that were handled before it. Where they could not be acknowledged the channel is closed by then, and this is not either.
    private async Task AcknowledgeLastAsync(ulong deliveryTag)
    {
        await _acknowledgements.EndAsync();
        await BasicAck(deliveryTag, multiple: false, CancellationToken);
    }

    // Without acknowledgements the broker would soon deliver nothing more. MassTransit opens a channel anew that was closed, and what was not acknowledged comes again.
    private async Task CloseAsync(Exception exception)
    {
        // By the broker, which found fault with it; else it went with its connection, or was closed here, and whoever did so says so.
        if (Channel.IsClosed && (Channel.CloseReason?.Initiator != ShutdownInitiator.Peer || !ConnectionContext.Connection.IsOpen))
        {
            _log?.Debug?.Log(exception, "The channel was closed before all that was handled could be acknowledged");
            return;
        }

        _log?.Error?.Log(exception, "Messages can be acknowledged no more: their channel is closed");
        try
        {
            await Channel.AbortAsync(CancellationToken.None);
        }
        catch (Exception closed)
        {
            _log?.Debug?.Log(closed, "The channel was closed already");
        }
    }

    private sealed class HandoverConsumer(IAsyncBasicConsumer consumer, DeliveryOrder order, Acknowledgements acknowledgements) : IAsyncBasicConsumer
    {
        public IChannel? Channel => consumer.Channel;

        public Task HandleBasicDeliverAsync(
            string consumerTag, ulong deliveryTag, bool redelivered, string exchange, string routingKey, IReadOnlyBasicProperties properties, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
        {
            order.Delivered(deliveryTag);
            acknowledgements.Delivered(deliveryTag);

            // Of a copy, since the client uses the body's memory again when this returns. MassTransit's consumer lets no exception out.
            _ = consumer.HandleBasicDeliverAsync(consumerTag, deliveryTag, redelivered, exchange, routingKey, properties, body.ToArray(), cancellationToken);
            return Task.CompletedTask;
        }

        public Task HandleBasicConsumeOkAsync(string consumerTag, CancellationToken cancellationToken) => consumer.HandleBasicConsumeOkAsync(consumerTag, cancellationToken);

        public Task HandleBasicCancelAsync(string consumerTag, CancellationToken cancellationToken) => consumer.HandleBasicCancelAsync(consumerTag, cancellationToken);

        public Task HandleBasicCancelOkAsync(string consumerTag, CancellationToken cancellationToken) => consumer.HandleBasicCancelOkAsync(consumerTag, cancellationToken);

        public Task HandleChannelShutdownAsync(object channel, ShutdownEventArgs reason) => consumer.HandleChannelShutdownAsync(channel, reason);
    }
}
