using System.Collections.Concurrent;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Notify.Messaging.Outbox;
using Notify.Store;
using Notify.Tests.Store;

namespace Notify.Tests.Messaging.Outbox;

/// <summary>The delivery's turns and its end, whatever the store.</summary>
public sealed class OutboxDeliveryTests : IAsyncLifetime
{
    private readonly ConcurrentQueue<int> _begun = new();
    private readonly ConcurrentQueue<int> _sent = new();
    private TestStore _store = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _store = await TestStore.CreateAsync();

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Fact]
    public async Task A_turn_ends_when_its_time_is_up_and_the_rest_of_a_conversation_follows_in_the_next()
    {
        var time = new FakeTimeProvider();
        using var host = Build(delivers: false, new Observer(_begun, _sent) { Then = () => time.Advance(TimeSpan.FromSeconds(11)) }, services => services.AddSingleton<TimeProvider>(time));
        await host.StartAsync(Cancellation);
        await WriteAsync(host, Guid.NewGuid(), 0, 1, 2);
        using var delivery = ActivatorUtilities.CreateInstance<OutboxDelivery<NotifyDbContext>>(host.Services);

        for (var turn = 1; turn <= 3; turn++)
        {
            Assert.True(await delivery.DeliverAsync([], Cancellation));
            Assert.Equal(Enumerable.Range(0, turn), _sent);
        }

        Assert.False(await delivery.DeliverAsync([], Cancellation));
        await host.StopAsync(Cancellation);
    }

    [Fact]
    public async Task A_receive_endpoint_that_is_out_of_order_does_not_keep_the_outbox_from_being_delivered()
    {
        using var host = Build(delivers: true, new Observer(_begun, _sent));
        await host.StartAsync(Cancellation);
        var bus = host.Services.GetRequiredService<IBusControl>();
        var endpoint = bus.ConnectReceiveEndpoint("out-of-order", _ => { });
        await endpoint.Ready;
        await endpoint.ReceiveEndpoint.Stop(Cancellation);
        await Eventually.TrueAsync(() => bus.CheckHealth().Status == BusHealthStatus.Degraded);

        // The first may be taken by a look that began before.
        await WriteAsync(host, Guid.NewGuid(), 0);
        await Eventually.TrueAsync(() => _sent.SequenceEqual([0]));
        await WriteAsync(host, Guid.NewGuid(), 1);

        await Eventually.TrueAsync(() => _sent.SequenceEqual([0, 1]));
        await host.StopAsync(Cancellation);
    }

    [Fact]
    public async Task A_stop_while_messages_are_sent_leaves_them_to_the_next_and_is_no_reason_to_warn()
    {
        using var logs = new LogCollector();
        using var host = Build(delivers: true, new Observer(_begun, _sent) { Hangs = true }, services => services.AddSingleton<ILoggerProvider>(logs));
        await host.StartAsync(Cancellation);
        await WriteAsync(host, Guid.NewGuid(), 0);
        await Eventually.TrueAsync(() => _begun.Count == 1);

        await host.StopAsync(Cancellation);

        Assert.DoesNotContain(logs.Lines, line => line.StartsWith($"{LogLevel.Warning} Notify", StringComparison.Ordinal));
        await using var db = _store.Open();
        Assert.Equal(1, await db.Set<OutboxMessage>().CountAsync(Cancellation));
    }

    private IHost Build(bool delivers, Observer observer, Action<IServiceCollection>? addServices = null) => OutboxHost.Build(
        new TestDatabase(StoreKind.Sqlite, _store.ConnectionString),
        delivers,
        bus => bus.UsingInMemory((_, memory) => memory.ConnectSendObserver(observer)),
        addServices);

    private static async Task WriteAsync(IHost host, Guid key, params int[] numbers)
    {
        await using var scope = host.Services.CreateAsyncScope();
        foreach (var number in numbers)
        {
            await scope.ServiceProvider.GetRequiredService<IPublishEndpoint>().Publish(
                new Happened(key, number),
                context =>
                {
                    context.ConversationId = key;
                    context.Headers.Set(Observer.Number, number);
                },
                Cancellation);
        }

        await scope.ServiceProvider.GetRequiredService<NotifyDbContext>().SaveChangesAsync(Cancellation);
    }

    /// <summary>Sees what the outbox sends to the bus.</summary>
    private sealed class Observer(ConcurrentQueue<int> begun, ConcurrentQueue<int> sent) : ISendObserver
    {
        public const string Number = "test-number";

        /// <summary>Whether a message is sent for ever.</summary>
        public bool Hangs { get; init; }

        /// <summary>What happens once a message is sent.</summary>
        public Action Then { get; init; } = () => { };

        public async Task PreSend<T>(SendContext<T> context)
            where T : class
        {
            begun.Enqueue(context.Headers.Get<int>(Number)!.Value);
            if (Hangs)
            {
                await Task.Delay(Timeout.Infinite, context.CancellationToken);
            }
        }

        public Task PostSend<T>(SendContext<T> context)
            where T : class
        {
            sent.Enqueue(context.Headers.Get<int>(Number)!.Value);
            Then();
            return Task.CompletedTask;
        }

        public Task SendFault<T>(SendContext<T> context, Exception exception)
            where T : class => Task.CompletedTask;
    }
}
