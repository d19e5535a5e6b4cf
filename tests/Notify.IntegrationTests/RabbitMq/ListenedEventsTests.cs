using System.Collections.Concurrent;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Notify.Contracts;
using Notify.IntegrationTests.Brokers;
using Notify.LocalPushService;
using Notify.Messaging;
using Notify.Messaging.RabbitMq;
using Notify.Tests;
using RabbitMQ.Client;

namespace Notify.IntegrationTests.RabbitMq;

[Collection("RabbitMQ")]
public sealed class ListenedEventsTests(SharedBrokers brokers)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task Every_acceptance_is_published_while_somebody_listens_and_hardly_any_while_nobody_does(RabbitMqVersion version)
    {
        var uri = await brokers.NewVirtualHostAsync(version);
        var time = new FakeTimeProvider();
        await using var events = new ListenedEvents<PushAccepted>(time);
        var accepted = Channel<Exception?>();
        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            RabbitMqAddress.Parse($"{uri}").Configure(rabbit);
            rabbit.ReceiveEndpoint("pushes", endpoint =>
            {
                endpoint.PrefetchCount = 100;
                endpoint.Handler<SendPush>(async context =>
                {
                    try
                    {
                        await events.PublishAsync(context, new PushAccepted(Guid.NewGuid(), "ada", context.Message.MessageId, 1, 201, null, time.GetUtcNow()));
                        await accepted.Writer.WriteAsync(null, Cancellation);
                    }
                    catch (Exception exception)
                    {
                        await accepted.Writer.WriteAsync(exception, Cancellation);
                    }
                });
            });
        });
        var published = new Published();
        bus.ConnectPublishObserver(published);
        await bus.StartAsync(Cancellation);
        try
        {
            // Nobody listens: one asks, past MassTransit, and the others take the broker's word for it.
            await PushAsync();
            await PushAsync();
            await PushAsync();
            time.Advance(Listeners.AskEvery);
            await PushAsync();
            await PushAsync();
            Assert.Equal(0, published.Count);

            var heard = new ConcurrentQueue<ConsumeContext<PushAccepted>>();
            var listener = bus.ConnectReceiveEndpoint("listener", endpoint => endpoint.Handler<PushAccepted>(context =>
            {
                heard.Enqueue(context);
                return Task.CompletedTask;
            }));
            await listener.Ready;

            // After a silence the word that nobody listens is old, and a crowd is published whole, though the one that asks has not been answered yet.
            time.Advance(TimeSpan.FromHours(1));
            Guid[] pushes = [.. await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => PushAsync())), await PushAsync(), await PushAsync()];
            await Eventually.TrueAsync(() => heard.Count == pushes.Length);
            Assert.Equal(pushes.Order(), heard.Select(context => context.Message.MessageId).Order());
            Assert.All(heard, context => Assert.NotNull(context.ConversationId));
            Assert.All(heard, context => Assert.NotNull(context.SentTime));
            Assert.Equal(pushes.Length - 1, published.Count);
            var before = published.Count;

            // The last listener leaves.
            await listener.StopAsync(Cancellation);
            await UnbindAsync(uri);
            time.Advance(Listeners.AskEvery);
            await PushAsync();
            await PushAsync();
            Assert.Equal(before, published.Count);
        }
        finally
        {
            await bus.StopAsync(CancellationToken.None);
        }

        async Task<Guid> PushAsync()
        {
            var push = new SendPush { SubscriptionId = Guid.NewGuid(), UserId = "ada", MessageId = Guid.NewGuid(), Payload = "{}", Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.MaxValue };
            var endpoint = await bus.GetSendEndpoint(new Uri("queue:pushes"));
            await endpoint.Send(push, Cancellation);
            Assert.Null(await accepted.Reader.ReadAsync(Cancellation));
            return push.MessageId;
        }
    }

    [Fact]
    public async Task Whoever_listens_hears_that_pushes_wait()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        var heard = new ConcurrentQueue<PushDeferred>();
        await using var listener = await ListenAsync(uri, heard);

        service.Push.Faults.Add(new PushFault { Status = 503, RetryAfter = "3600" });
        var messages = new[] { Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid() };
        foreach (var message in messages)
        {
            await service.PostAsync(new MessagePosted { MessageId = message, RecipientIds = ["ada"], Title = "Hello" });
        }

        await Eventually.TrueAsync(() => heard.Count == messages.Length);
        Assert.Equal(messages.Order(), heard.Select(push => push.MessageId).Order());
        Assert.Equal([0, 0, 1], heard.Select(push => push.Attempts).Order());
    }

    [Fact]
    public async Task Whoever_listens_hears_once_more_of_a_push_whose_command_comes_again_though_it_was_accepted()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var id = (await service.SubscribeAsync(browser.Agent, "ada")).Id;
        var heard = new ConcurrentQueue<PushAccepted>();
        await using var listener = await ListenAsync(uri, heard);
        var (accepted, waiting) = (Guid.NewGuid(), Guid.NewGuid());
        await service.PostAsync(new MessagePosted { MessageId = accepted, RecipientIds = ["ada"], Title = "accepted" });
        await Eventually.GetAsync(() => service.DeliveriesAsync(accepted), rows => rows.Any(row => row.GetProperty("state").GetString() == "accepted"));
        await Eventually.TrueAsync(() => !heard.IsEmpty);
        service.Push.Faults.Add(new PushFault { Status = 503, RetryAfter = "3600" });
        await service.PostAsync(new MessagePosted { MessageId = waiting, RecipientIds = ["ada"], Title = "waits" });
        await Eventually.GetAsync(() => service.DeliveriesAsync(waiting), rows => rows.Any(row => row.GetProperty("state").GetString() == "retrying"));

        // As the broker does that was killed before it took the acknowledgement, and with it perhaps the event.
        await service.Services.GetRequiredService<PushSender>().SendAsync(
            new SendPush { SubscriptionId = id, UserId = "ada", MessageId = accepted, Payload = "{}", Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.UtcNow.AddHours(1) }, attemptsInLine: null, Cancellation);

        await Eventually.TrueAsync(() => heard.Count == 2);
        Assert.Single(heard.Distinct());
        Assert.Equal(2, service.Push.Status.AnswersByStatus.Values.Sum());
    }

    private static async Task<IAsyncDisposable> ListenAsync<T>(Uri uri, ConcurrentQueue<T> heard)
        where T : class
    {
        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            RabbitMqAddress.Parse($"{uri}").Configure(rabbit);
            rabbit.ReceiveEndpoint("listener", endpoint => endpoint.Handler<T>(context =>
            {
                heard.Enqueue(context.Message);
                return Task.CompletedTask;
            }));
        });
        await bus.StartAsync(Cancellation);
        return new Listener(bus);
    }

    private static async Task UnbindAsync(Uri uri)
    {
        await using var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync(Cancellation);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancellation);
        await channel.ExchangeUnbindAsync("listener", "Notify.Contracts:PushAccepted", "", cancellationToken: Cancellation);
    }

    private static System.Threading.Channels.Channel<T> Channel<T>() => System.Threading.Channels.Channel.CreateUnbounded<T>();

    private sealed class Listener(IBusControl bus) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync() => await bus.StopAsync(CancellationToken.None);
    }

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
