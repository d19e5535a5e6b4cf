using MassTransit;
using Microsoft.Extensions.Time.Testing;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.IntegrationTests.Brokers;
using Notify.Messaging.RabbitMq;
using Notify.Tests;
using RabbitMQ.Client;

namespace Notify.IntegrationTests.RabbitMq;

[Collection("RabbitMQ")]
public sealed class AcceptanceEventsTests(SharedBrokers brokers)
{
    private const string Exchange = "Notify.Contracts:PushAccepted";
    private const string Queue = "listener";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task Every_acceptance_is_published_while_somebody_listens_and_hardly_any_while_nobody_does(RabbitMqVersion version)
    {
        var uri = await brokers.NewVirtualHostAsync(version);
        var time = new FakeTimeProvider();
        AcceptanceEvents? events = null;
        var accepted = Channel<int>();
        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            RabbitMqAddress.Parse($"{uri}").Configure(rabbit);
            rabbit.ReceiveEndpoint("pushes", endpoint => endpoint.Handler<SendPush>(async context =>
            {
                await events!.PublishAsync(context, new PushAccepted(Guid.NewGuid(), "ada", context.Message.MessageId, 1, 201, null, time.GetUtcNow()));
                await accepted.Writer.WriteAsync(0, Cancellation);
            }));
        });
        events = new AcceptanceEvents(bus, time);
        var published = new Published();
        bus.ConnectPublishObserver(published);
        await bus.StartAsync(Cancellation);
        try
        {
            // Nobody listens: the first asks, and the others take the broker's word for it.
            await PushAsync();
            await PushAsync();
            await PushAsync();
            Assert.Equal(1, published.Count);
            time.Advance(AcceptanceEvents.AskEvery);
            await PushAsync();
            await PushAsync();
            Assert.Equal(2, published.Count);

            await using var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync(Cancellation);
            await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancellation);
            await channel.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false, cancellationToken: Cancellation);
            await channel.QueueBindAsync(Queue, Exchange, "", cancellationToken: Cancellation);
            time.Advance(AcceptanceEvents.AskEvery);
            await PushAsync();
            await PushAsync();
            await PushAsync();
            Assert.Equal(5, published.Count);
            await Eventually.GetAsync(() => channel.MessageCountAsync(Queue, Cancellation), count => count == 3);

            // The last listener leaves.
            await channel.QueueUnbindAsync(Queue, Exchange, "", cancellationToken: Cancellation);
            await PushAsync();
            await PushAsync();
            Assert.Equal(6, published.Count);
            Assert.Equal(0u, await channel.MessageCountAsync(Queue, Cancellation) - 3);
        }
        finally
        {
            await bus.StopAsync(CancellationToken.None);
        }

        async Task PushAsync()
        {
            var endpoint = await bus.GetSendEndpoint(new Uri("queue:pushes"));
            await endpoint.Send(new SendPush { SubscriptionId = Guid.NewGuid(), UserId = "ada", MessageId = Guid.NewGuid(), Payload = "{}", Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.MaxValue }, Cancellation);
            await accepted.Reader.ReadAsync(Cancellation);
        }
    }

    private static System.Threading.Channels.Channel<T> Channel<T>() => System.Threading.Channels.Channel.CreateUnbounded<T>();

    private sealed class Published : IPublishObserver
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public Task PrePublish<T>(PublishContext<T> context)
            where T : class
        {
            Interlocked.Increment(ref _count);
            return Task.CompletedTask;
        }

        public Task PostPublish<T>(PublishContext<T> context)
            where T : class => Task.CompletedTask;

        public Task PublishFault<T>(PublishContext<T> context, Exception exception)
            where T : class => Task.CompletedTask;
    }
}
