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
internal class HandoverChannelContext : ScopeChannelContext, ChannelContext, IAsyncDisposable
{
    /// <summary>What the endpoint must be limited to, for the order and to have but one such task. How many messages are handled at once is what it prefetches.</summary>
    public const int ConcurrentMessageLimit = 1;

    private readonly Acknowledgements _acknowledgements;

    public HandoverChannelContext(ChannelContext context)
        : base(context, context.CancellationToken) =>
        // By the system's clock, whatever a test's does: nobody is told of this time.
        _acknowledgements = new Acknowledgements((deliveryTag, multiple) => context.BasicAck(deliveryTag, multiple, context.CancellationToken), TimeProvider.System);

    // (1)
    Task<string> ChannelContext.BasicConsume(
        string queue, bool noAck, bool exclusive, IDictionary<string, object> arguments, IAsyncBasicConsumer consumer, string consumerTag, CancellationToken cancellationToken) =>
        BasicConsume(queue, noAck, exclusive, arguments, new HandoverConsumer(consumer, _acknowledgements), consumerTag, cancellationToken);

    // (2), which MassTransit does one by one. Not cancelled with the message: it has been handled.
    ValueTask ChannelContext.BasicAck(ulong deliveryTag, bool multiple, CancellationToken cancellationToken) => new(_acknowledgements.AddAsync(deliveryTag));

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

    private sealed class HandoverConsumer(IAsyncBasicConsumer consumer, Acknowledgements acknowledgements) : IAsyncBasicConsumer
    {
        public IChannel? Channel => consumer.Channel;

        public Task HandleBasicDeliverAsync(
            string consumerTag, ulong deliveryTag, bool redelivered, string exchange, string routingKey, IReadOnlyBasicProperties properties, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
        {
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
