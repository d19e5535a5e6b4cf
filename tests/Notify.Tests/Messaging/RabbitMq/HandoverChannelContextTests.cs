using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text;
using MassTransit.RabbitMqTransport;
using Notify.Messaging.RabbitMq;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class HandoverChannelContextTests
{
    private readonly RecordingChannel _channel;
    private readonly ChannelContext _context;
    private readonly SlowConsumer _consumer = new();

    public HandoverChannelContextTests()
    {
        _context = DispatchProxy.Create<ChannelContext, RecordingChannel>();
        _channel = (RecordingChannel)(object)_context;
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_is_handed_over_without_waiting_for_its_end_with_a_body_of_its_own()
    {
        await using var handover = new HandoverChannelContext(_context);
        var consumer = await ConsumeAsync(handover);
        var memory = Encoding.UTF8.GetBytes("first");

        await DeliverAsync(consumer, 1, memory);
        Encoding.UTF8.GetBytes("other").CopyTo(memory, 0);
        await DeliverAsync(consumer, 2, memory);

        Assert.Equal([(1ul, "first"), (2ul, "other")], _consumer.UnderWay.Select(message => (message.DeliveryTag, Encoding.UTF8.GetString(message.Body.Span))));
    }

    [Fact]
    public async Task Messages_take_their_places_as_they_were_delivered()
    {
        await using var handover = new HandoverChannelContext(_context);
        var consumer = await ConsumeAsync(handover);

        // A channel that was used before counts on.
        await DeliverAsync(consumer, 7);
        await DeliverAsync(consumer, 8);

        var second = handover.Order.ReachedAsync(8);
        Assert.True(handover.Order.ReachedAsync(7).IsCompleted);
        Assert.False(second.IsCompleted);
        handover.Order.Pass(7);
        await second;
    }

    [Fact]
    public async Task What_is_handled_is_acknowledged_and_does_not_wait_for_what_was_given_back()
    {
        await using var handover = new HandoverChannelContext(_context);
        var consumer = await ConsumeAsync(handover);
        for (ulong deliveryTag = 1; deliveryTag <= 3; deliveryTag++)
        {
            await DeliverAsync(consumer, deliveryTag);
        }

        ChannelContext channel = handover;
        await channel.BasicNack(2, multiple: false, requeue: true, Cancellation);
        await channel.BasicAck(3, multiple: false, Cancellation);
        await channel.BasicAck(1, multiple: false, Cancellation);
        await Eventually.TrueAsync(() => _channel.Calls.Any(call => call is ("BasicAck", 1, _) or ("BasicAck", 3, true)));

        // In one frame, unless this thread was held up in between; the third would come last if it had waited for the second.
        Assert.Equal("BasicNack", _channel.Calls.First().Method);
        Assert.Contains(_channel.Calls.Skip(1).Select(call => (call.DeliveryTag, call.Multiple)).ToList(), (List<(ulong, bool)>[])[[(3, true)], [(3, false), (1, false)]]);
    }

    [Fact]
    public async Task Before_a_consumer_is_cancelled_what_it_has_handled_is_acknowledged_and_afterwards_each_message_at_once()
    {
        await using var handover = new HandoverChannelContext(_context);
        var consumer = await ConsumeAsync(handover);
        await DeliverAsync(consumer, 1);
        await DeliverAsync(consumer, 2);

        ChannelContext channel = handover;
        await channel.BasicAck(1, multiple: false, Cancellation);
        await channel.BasicCancel("", Cancellation);
        await channel.BasicAck(2, multiple: false, Cancellation);

        Assert.Equal([("BasicAck", 1ul, false), ("BasicCancel", 0ul, false), ("BasicAck", 2ul, false)], _channel.Calls);
    }

    private async Task<IAsyncBasicConsumer> ConsumeAsync(ChannelContext channel)
    {
        await channel.BasicConsume("a-queue", noAck: false, exclusive: false, new Dictionary<string, object>(), _consumer, "", Cancellation);
        return _channel.Consumer!;
    }

    private static Task DeliverAsync(IAsyncBasicConsumer consumer, ulong deliveryTag, byte[]? body = null) =>
        consumer.HandleBasicDeliverAsync("", deliveryTag, redelivered: false, "", "a-queue", new BasicProperties(), body ?? [], Cancellation).WaitAsync(TimeSpan.FromSeconds(30), Cancellation);

    private sealed class SlowConsumer : IAsyncBasicConsumer
    {
        private readonly TaskCompletionSource _never = new();

        public ConcurrentQueue<(ulong DeliveryTag, ReadOnlyMemory<byte> Body)> UnderWay { get; } = [];

        public IChannel? Channel => null;

        public Task HandleBasicDeliverAsync(
            string consumerTag, ulong deliveryTag, bool redelivered, string exchange, string routingKey, IReadOnlyBasicProperties properties, ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
        {
            UnderWay.Enqueue((deliveryTag, body));
            return _never.Task;
        }

        public Task HandleBasicConsumeOkAsync(string consumerTag, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task HandleBasicCancelAsync(string consumerTag, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task HandleBasicCancelOkAsync(string consumerTag, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task HandleChannelShutdownAsync(object channel, ShutdownEventArgs reason) => Task.CompletedTask;
    }

    // MassTransit's channel, as far as it is used here.
    [SuppressMessage("Performance", "CA1852", Justification = "The proxy is derived from it.")]
    private class RecordingChannel : DispatchProxy
    {
        public ConcurrentQueue<(string Method, ulong DeliveryTag, bool Multiple)> Calls { get; } = [];

        public IAsyncBasicConsumer? Consumer { get; private set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            switch (targetMethod!.Name)
            {
                case nameof(ChannelContext.BasicConsume):
                    Consumer = (IAsyncBasicConsumer)args![4]!;
                    return Task.FromResult("");
                case nameof(ChannelContext.BasicAck):
                    Calls.Enqueue((targetMethod.Name, (ulong)args![0]!, (bool)args[1]!));
                    return ValueTask.CompletedTask;
                case nameof(ChannelContext.BasicNack):
                    Calls.Enqueue((targetMethod.Name, (ulong)args![0]!, (bool)args[1]!));
                    return Task.CompletedTask;
                case nameof(ChannelContext.BasicCancel):
                    Calls.Enqueue((targetMethod.Name, 0, false));
                    return Task.CompletedTask;
                case "get_CancellationToken":
                    return CancellationToken.None;
                default:
                    throw new NotSupportedException(targetMethod.Name);
            }
        }
    }
}
