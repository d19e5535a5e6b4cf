using System.Collections.Concurrent;
using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Notify.Fanout;
using Notify.Messaging.Outbox;
using Notify.Store;
using Notify.Tests.Store;

namespace Notify.Tests.Messaging.Outbox;

/// <summary>An event of the tests.</summary>
/// <param name="Key">What keeps its order.</param>
/// <param name="Number">Counts within the key.</param>
public sealed record Happened(Guid Key, int Number);

/// <summary>A command of the tests: change a row and tell of it.</summary>
/// <param name="Id">The row.</param>
public sealed record Change(Guid Id);

/// <summary>Rows and messages come together or not at all; run on each store.</summary>
public abstract class OutboxTests : IAsyncLifetime
{
    private readonly ConcurrentQueue<Happened> _sent = new();
    private readonly Failures _failures = new();
    private TestDatabase? _database;
    private TestStore _store = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The database; SQLite if null.</summary>
    protected virtual Task<TestDatabase?> NewDatabaseAsync() => Task.FromResult<TestDatabase?>(null);

    public async ValueTask InitializeAsync()
    {
        _database = await NewDatabaseAsync();
        _store = await TestStore.CreateAsync(_database);
        _database ??= new TestDatabase(StoreKind.Sqlite, _store.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task What_is_saved_is_delivered_and_nothing_is_left()
    {
        using var host = await StartAsync();
        var id = Guid.NewGuid();

        await WriteAsync(host.Services, id, 3, isSaved: true);

        await Eventually.TrueAsync(() => _sent.Count == 3);
        await AssertNothingIsLeftAsync();
        await using var db = _store.Open();
        Assert.True(await db.FannedOutParts.AnyAsync(row => row.MessageId == id, Cancellation));
    }

    [Fact]
    public async Task What_is_not_saved_is_never_sent()
    {
        using var host = await StartAsync();

        await WriteAsync(host.Services, Guid.NewGuid(), 3, isSaved: false);
        var later = Guid.NewGuid();
        await WriteAsync(host.Services, later, 1, isSaved: true);

        await Eventually.TrueAsync(() => !_sent.IsEmpty);
        Assert.Equal([new Happened(later, 0)], _sent);
    }

    [Fact]
    public async Task What_a_process_has_left_behind_is_delivered_by_another()
    {
        using (var ended = Build(delivers: false))
        {
            await ended.StartAsync(Cancellation);
            await WriteAsync(ended.Services, Guid.NewGuid(), 3, isSaved: true);
            await ended.StopAsync(Cancellation);
        }

        Assert.Empty(_sent);
        using var host = await StartAsync();

        await Eventually.TrueAsync(() => _sent.Count == 3);
    }

    [Fact]
    public async Task Messages_of_one_conversation_leave_in_order_from_several_processes_at_once()
    {
        var hosts = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => StartAsync()));
        var keys = Enumerable.Range(0, 10).Select(_ => Guid.NewGuid()).ToList();

        // Of a key each is saved when the one before is, by any of the processes.
        await Task.WhenAll(keys.Select(async (key, offset) =>
        {
            for (var number = 0; number < 30; number++)
            {
                await WriteAsync(hosts[(number + offset) % hosts.Length].Services, key, number);
            }
        }));

        await Eventually.TrueAsync(() => _sent.Count >= 300);
        await AssertNothingIsLeftAsync();
        Assert.All(keys, key => Assert.Equal(Enumerable.Range(0, 30), _sent.Where(happened => happened.Key == key).Select(happened => happened.Number)));
        foreach (var host in hosts)
        {
            await host.StopAsync(Cancellation);
            host.Dispose();
        }
    }

    [Fact]
    public async Task Many_messages_of_one_save_leave_in_the_order_in_which_they_were_published()
    {
        using var host = await StartAsync();
        var id = Guid.NewGuid();

        await WriteAsync(host.Services, id, 250, isSaved: true);

        await Eventually.TrueAsync(() => _sent.Count == 250);
        Assert.Equal(Enumerable.Range(0, 250), _sent.Select(happened => happened.Number));
    }

    [Fact]
    public async Task A_message_that_cannot_be_sent_holds_back_its_own_conversation_alone()
    {
        using var host = await StartAsync();
        var (bad, good) = (Guid.NewGuid(), Guid.NewGuid());
        _failures.Refused = bad;
        await WriteAsync(host.Services, bad, 0);
        await WriteAsync(host.Services, bad, 1);
        await WriteAsync(host.Services, good, 0);
        await Eventually.TrueAsync(() => _sent.Contains(new Happened(good, 0)) && _failures.Count > 1);
        Assert.DoesNotContain(_sent, happened => happened.Key == bad);

        _failures.Refused = null;

        await Eventually.TrueAsync(() => _sent.Count == 3);
        Assert.Equal([0, 1], _sent.Where(happened => happened.Key == bad).Select(happened => happened.Number));
        await AssertNothingIsLeftAsync();
    }

    [Fact]
    public async Task A_consumer_that_fails_has_changed_nothing_and_sent_nothing_and_does_both_once_when_it_is_retried()
    {
        using var host = await StartAsync();
        var id = Guid.NewGuid();
        _failures.ConsumerFailures = 2;

        await host.Services.GetRequiredService<IBus>().Publish(new Change(id), Cancellation);

        await Eventually.TrueAsync(() => !_sent.IsEmpty);
        await AssertNothingIsLeftAsync();
        Assert.Equal(new Happened(id, 3), Assert.Single(_sent));
        await using var db = _store.Open();
        Assert.Equal(3, (await db.FannedOutParts.SingleAsync(row => row.MessageId == id, Cancellation)).Offset);
    }

    [Fact]
    public async Task A_message_that_is_delivered_twice_is_consumed_once()
    {
        using var host = await StartAsync();
        var (id, messageId) = (Guid.NewGuid(), Guid.NewGuid());
        var bus = host.Services.GetRequiredService<IBus>();

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => bus.Publish(new Change(id), context => context.MessageId = messageId, Cancellation)));
        var last = Guid.NewGuid();
        await bus.Publish(new Change(last), Cancellation);

        await Eventually.TrueAsync(() => _sent.Any(happened => happened.Key == last) && _failures.Handled >= 5);
        await AssertNothingIsLeftAsync();
        Assert.Single(_sent, happened => happened.Key == id);
    }

    [Fact]
    public async Task What_the_inbox_need_not_know_any_more_is_deleted()
    {
        using var host = await StartAsync();
        var id = Guid.NewGuid();
        await host.Services.GetRequiredService<IBus>().Publish(new Change(id), Cancellation);
        await Eventually.TrueAsync(() => !_sent.IsEmpty);
        await AssertNothingIsLeftAsync();
        await using var db = _store.Open();
        await Eventually.GetAsync(() => db.Set<InboxState>().AsNoTracking().SingleAsync(Cancellation), state => state.Delivered is not null);
        var cleanup = CleanupOf(host);

        await cleanup.CleanUpAsync(Cancellation);
        Assert.Equal(1, await db.Set<InboxState>().CountAsync(Cancellation));
        await db.Set<InboxState>().ExecuteUpdateAsync(set => set.SetProperty(state => state.Delivered, DateTime.UtcNow.AddHours(-1)), Cancellation);
        db.Add(new OutboxState { OutboxId = Guid.NewGuid(), Created = DateTime.UtcNow.AddHours(-1) });
        await db.SaveChangesAsync(Cancellation);
        await cleanup.CleanUpAsync(Cancellation);

        Assert.Equal((0, 0), (await db.Set<InboxState>().CountAsync(Cancellation), await db.Set<OutboxState>().CountAsync(Cancellation)));
    }

    [Fact]
    public async Task A_message_that_the_inbox_knows_as_consumed_but_not_as_delivered_is_not_consumed_again_and_forgotten_in_time()
    {
        using var host = await StartAsync();
        var (id, messageId) = (Guid.NewGuid(), Guid.NewGuid());
        var bus = host.Services.GetRequiredService<IBus>();
        await bus.Publish(new Change(id), context => context.MessageId = messageId, Cancellation);
        await Eventually.TrueAsync(() => _failures.Handled == 1);
        await AssertNothingIsLeftAsync();

        // As MassTransit.EntityFrameworkCore leaves it when it is killed between the two.
        await using var db = _store.Open();
        await db.Set<InboxState>().ExecuteUpdateAsync(set => set.SetProperty(state => state.Consumed, DateTime.UtcNow.AddHours(-1)).SetProperty(state => state.Delivered, (DateTime?)null), Cancellation);
        await bus.Publish(new Change(id), context => context.MessageId = messageId, Cancellation);

        await Eventually.TrueAsync(() => _failures.Handled == 2);
        await AssertNothingIsLeftAsync();
        Assert.Single(_sent);
        await CleanupOf(host).CleanUpAsync(Cancellation);
        Assert.Equal(0, await db.Set<InboxState>().CountAsync(Cancellation));
    }

    private static OutboxCleanup<NotifyDbContext> CleanupOf(IHost host) => host.Services.GetServices<IHostedService>().OfType<OutboxCleanup<NotifyDbContext>>().Single();

    private static async Task WriteAsync(IServiceProvider services, Guid id, int count, bool isSaved)
    {
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<NotifyDbContext>();
        var bus = scope.ServiceProvider.GetRequiredService<IPublishEndpoint>();
        db.Add(new FannedOutPart { MessageId = id, Count = 1 });
        for (var number = 0; number < count; number++)
        {
            await bus.Publish(new Happened(id, number), context => context.ConversationId = id, Cancellation);
        }

        if (isSaved)
        {
            await db.SaveChangesAsync(Cancellation);
        }
    }

    private static async Task WriteAsync(IServiceProvider services, Guid key, int number)
    {
        await using var scope = services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<IPublishEndpoint>().Publish(new Happened(key, number), context => context.ConversationId = key, Cancellation);
        await scope.ServiceProvider.GetRequiredService<NotifyDbContext>().SaveChangesAsync(Cancellation);
    }

    private async Task AssertNothingIsLeftAsync()
    {
        await using var db = _store.Open();
        await Eventually.GetAsync(async () => await db.Set<OutboxMessage>().CountAsync(Cancellation) + await db.Set<OutboxState>().CountAsync(Cancellation), left => left == 0);
    }

    private async Task<IHost> StartAsync()
    {
        var host = Build(delivers: true);
        await host.StartAsync(Cancellation);
        return host;
    }

    private IHost Build(bool delivers) => OutboxHost.Build(
        _database!,
        delivers,
        bus =>
        {
            bus.AddConsumer<ChangeConsumer>();
            bus.UsingInMemory((context, memory) =>
            {
                memory.ConnectSendObserver(new Observer(_sent, _failures));
                memory.ConnectReceiveObserver(new Receipts(_failures));
                memory.ReceiveEndpoint("changes", endpoint =>
                {
                    endpoint.UseMessageRetry(retry => retry.Immediate(10));
                    endpoint.UseEntityFrameworkOutbox<NotifyDbContext>(context);
                    endpoint.ConfigureConsumer<ChangeConsumer>(context);
                });
            });
        },
        services => services.AddSingleton(_failures));

    /// <summary>What is to go wrong, and what was seen.</summary>
    private sealed class Failures
    {
        private int _count;
        private int _handled;

        public Guid? Refused { get; set; }

        public int ConsumerFailures { get; set; }

        public int Count => _count;

        public int Handled => _handled;

        public void Note() => Interlocked.Increment(ref _count);

        public void NoteHandled() => Interlocked.Increment(ref _handled);
    }

    private sealed class ChangeConsumer(NotifyDbContext db, Failures failures) : IConsumer<Change>
    {
        public async Task Consume(ConsumeContext<Change> context)
        {
            var attempt = context.GetRetryAttempt() + 1;
            db.Add(new FannedOutPart { MessageId = context.Message.Id, Offset = attempt, Count = 1 });
            await context.Publish(new Happened(context.Message.Id, attempt));
            await db.SaveChangesAsync(context.CancellationToken);
            if (attempt <= failures.ConsumerFailures)
            {
                throw new InvalidOperationException("as the test asked");
            }
        }
    }

    /// <summary>Sees what the outbox sends to the bus, in order, and refuses what it is told to.</summary>
    private sealed class Observer(ConcurrentQueue<Happened> sent, Failures failures) : ISendObserver
    {
        public Task PreSend<T>(SendContext<T> context)
            where T : class
        {
            if (HappenedOf(context) is not { } happened || happened.Key != failures.Refused)
            {
                return Task.CompletedTask;
            }

            failures.Note();
            throw new InvalidOperationException("as the test asked");
        }

        public Task PostSend<T>(SendContext<T> context)
            where T : class
        {
            if (HappenedOf(context) is { } happened)
            {
                sent.Enqueue(happened);
            }

            return Task.CompletedTask;
        }

        public Task SendFault<T>(SendContext<T> context, Exception exception)
            where T : class => Task.CompletedTask;

        private static Happened? HappenedOf<T>(SendContext<T> context)
            where T : class
        {
            var message = JsonDocument.Parse(context.Serializer.GetMessageBody(context).GetString()).RootElement.GetProperty("message");
            return message.TryGetProperty("key", out _) ? message.Deserialize<Happened>(JsonSerializerOptions.Web) : null;
        }
    }

    /// <summary>Counts what was handled, be it dropped as a duplicate.</summary>
    private sealed class Receipts(Failures failures) : IReceiveObserver
    {
        public Task PreReceive(ReceiveContext context) => Task.CompletedTask;

        public Task PostReceive(ReceiveContext context)
        {
            failures.NoteHandled();
            return Task.CompletedTask;
        }

        public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
            where T : class => Task.CompletedTask;

        public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
            where T : class => Task.CompletedTask;

        public Task ReceiveFault(ReceiveContext context, Exception exception) => Task.CompletedTask;
    }
}
