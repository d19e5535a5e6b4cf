using System.Collections.Concurrent;
using System.Data.Common;
using System.Net;
using System.Text.Json.Nodes;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Notify.Contracts;
using Notify.Messaging.Outbox;
using Notify.Sending;
using Notify.Store;
using Notify.Subscriptions;
using Notify.Tests;
using Notify.Tests.Store;
using Npgsql;

namespace Notify.IntegrationTests.Databases;

/// <summary>A PostgreSQL that loses the connection in the middle of a transaction: the work is done again, and counts once.</summary>
public sealed class RetriesTests(SharedDatabases databases)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Where_a_commit_fails_or_its_answer_is_lost_there_is_one_row_and_one_event(bool isCommitted)
    {
        var commits = new LostCommits(isCommitted, IsOfSubscriptions);
        await using var service = await StartAsync(commits);
        await using var browser = await Browser.OpenAsync(service);
        var events = await ListenAsync(service);
        commits.LoseNext();
        var (_, id) = await service.SubscribeAsync(browser.Agent, "ada");
        Assert.Equal(1, commits.Lost);
        await Eventually.TrueAsync(() => !events.IsEmpty);
        commits.LoseNext();
        using var http = service.ClientOf("ada");
        using var removed = await http.DeleteAsync($"api/subscriptions/{id}", Cancellation);

        Assert.Equal((HttpStatusCode.NoContent, 2), (removed.StatusCode, commits.Lost));
        var (_, last) = await service.SubscribeAsync(browser.Agent, "grace");
        await Eventually.TrueAsync(() => events.Contains(new SubscriptionRegistered(last, "grace")));
        Assert.Equal([new SubscriptionRegistered(id, "ada"), new SubscriptionRemoved(id, "ada"), new SubscriptionRegistered(last, "grace")], events);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Where_a_subscription_is_moved_meanwhile_the_events_tell_of_it_once_and_its_former_owner_is_forgotten(bool isCommitted)
    {
        var commits = new LostCommits(isCommitted, IsOfSubscriptions);

        // Events stay where they are, so that nothing but the registration empties the cache.
        await using var service = await StartAsync(commits, services => services.Remove(services.Single(added => added.ImplementationType == typeof(OutboxDelivery<NotifyDbContext>))));
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, id) = await service.SubscribeAsync(browser.Agent, "ada");
        var cache = service.Services.GetRequiredService<SubscriptionCache>();
        Assert.NotEmpty((await cache.GetAsync("ada", Cancellation)).Subscriptions);

        commits.LoseNext();
        using var grace = service.ClientOf("grace");
        var moved = await NotifyService.RegisterAsync(grace, subscription.ToJson());

        Assert.Equal((id, 1), (moved.GetProperty("id").GetGuid(), commits.Lost));
        Assert.Empty((await cache.GetAsync("ada", Cancellation)).Subscriptions);
        Assert.Equal(id, Assert.Single((await cache.GetAsync("grace", Cancellation)).Subscriptions).Id);
        await using var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation);
        var events = await db.Set<OutboxMessage>().AsNoTracking().OrderBy(message => message.SequenceNumber).ToListAsync(Cancellation);
        Assert.Equal(
            [("SubscriptionRegistered", "ada"), ("SubscriptionRemoved", "ada"), ("SubscriptionRegistered", "grace")],
            events.Select(message => (message.MessageType.Split(':')[^1], JsonNode.Parse(message.Body)!["message"]!["userId"]!.GetValue<string>())));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Where_a_push_is_put_in_line_meanwhile_it_stands_there_once_and_what_it_supersedes_is_told(bool isCommitted)
    {
        var commits = new LostCommits(isCommitted, _ => true);
        await using var store = await TestStore.CreateAsync(await databases.NewPostgreSqlAsync(), commits);
        await using var lines = new WaitingLines(store.Factory, TimeProvider.System, NullLogger<WaitingLines>.Instance);
        var head = new SendPush
        {
            SubscriptionId = Guid.NewGuid(), UserId = "ada", MessageId = Guid.NewGuid(), Payload = "{}", Topic = "room", Urgency = "normal", TtlSeconds = 60,
            ExpiresAt = DateTimeOffset.UtcNow.AddDays(1),
        };
        var (older, newer) = (head with { MessageId = Guid.NewGuid() }, head with { MessageId = Guid.NewGuid() });
        await lines.HoldAsync(head, null, attempts: 1, DateTimeOffset.UnixEpoch, Cancellation);
        Assert.IsType<Turn.StoodInLine>(await lines.TakeTurnAsync(older, null, isRedelivered: false, CancellationToken.None, Cancellation));

        commits.LoseNext();
        var turn = await lines.TakeTurnAsync(newer, null, isRedelivered: false, CancellationToken.None, Cancellation);

        Assert.Equal(1, commits.Lost);
        Assert.Equal([older], Assert.IsType<Turn.StoodInLine>(turn).Older);
        await using var db = store.Open();
        var waiting = db.WaitingPushes.OrderBy(push => push.Position).Select(push => push.MessageId);
        Assert.Equal([head.MessageId, older.MessageId, newer.MessageId], await waiting.ToListAsync(Cancellation));

        commits.LoseNext();
        await lines.TakeOutAsync([older], Cancellation);

        Assert.Equal(2, commits.Lost);
        Assert.Equal([head.MessageId, newer.MessageId], await waiting.ToListAsync(Cancellation));
    }

    [Fact]
    public async Task Where_what_the_outbox_has_sent_cannot_be_deleted_at_first_it_is_not_sent_again()
    {
        var deletions = new LostDeletions();
        await using var service = await StartAsync(deletions);
        await using var browser = await Browser.OpenAsync(service);
        var events = await ListenAsync(service);

        deletions.LoseNext();
        var (_, id) = await service.SubscribeAsync(browser.Agent, "ada");
        await Eventually.TrueAsync(() => deletions.Lost == 1);
        var (_, last) = await service.SubscribeAsync(browser.Agent, "grace");

        await Eventually.TrueAsync(() => events.Contains(new SubscriptionRegistered(last, "grace")));
        Assert.Equal([new SubscriptionRegistered(id, "ada"), new SubscriptionRegistered(last, "grace")], events);
    }

    // Not the outbox' delivery, which commits as well.
    private static bool IsOfSubscriptions(DbContext db) => db.ChangeTracker.Entries<OutboxMessage>().Any();

    private async Task<NotifyService> StartAsync(IInterceptor interceptor, Action<IServiceCollection>? configure = null) => await NotifyService.StartAsync(
        null,
        builder =>
        {
            builder.Services.ConfigureDbContext<PostgreSqlNotifyDbContext>(options => options.AddInterceptors(interceptor));
            configure?.Invoke(builder.Services);
        },
        (await databases.NewPostgreSqlAsync())!.Settings);

    private static async Task<ConcurrentQueue<object>> ListenAsync(NotifyService service)
    {
        var events = new ConcurrentQueue<object>();
        var listener = service.Services.GetRequiredService<IBusControl>().ConnectReceiveEndpoint("test-events", endpoint =>
        {
            endpoint.ConcurrentMessageLimit = 1;
            endpoint.Handler<SubscriptionRegistered>(context => Note(context.Message));
            endpoint.Handler<SubscriptionRemoved>(context => Note(context.Message));
        });
        await listener.Ready;
        return events;

        Task Note(object message)
        {
            events.Enqueue(message);
            return Task.CompletedTask;
        }
    }

    /// <summary>Loses the connection before or after one commit.</summary>
    /// <param name="isCommitted">After.</param>
    /// <param name="which">Whose commits.</param>
    private sealed class LostCommits(bool isCommitted, Func<DbContext, bool> which) : DbTransactionInterceptor
    {
        private int _toLose;
        private int _lost;

        public int Lost => _lost;

        public void LoseNext() => Volatile.Write(ref _toLose, 1);

        public override ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            LoseIf(!isCommitted && which(eventData.Context!));
            return new(result);
        }

        public override Task TransactionCommittedAsync(DbTransaction transaction, TransactionEndEventData eventData, CancellationToken cancellationToken = default)
        {
            LoseIf(isCommitted && which(eventData.Context!));
            return Task.CompletedTask;
        }

        private void LoseIf(bool isThis)
        {
            if (isThis && Interlocked.Exchange(ref _toLose, 0) == 1)
            {
                Interlocked.Increment(ref _lost);
                throw NewLoss();
            }
        }
    }

    /// <summary>Loses the connection before messages that the outbox has sent are deleted.</summary>
    private sealed class LostDeletions : DbCommandInterceptor
    {
        private int _toLose;
        private int _lost;

        public int Lost => _lost;

        public void LoseNext() => Volatile.Write(ref _toLose, 1);

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            if (command.CommandText.StartsWith("DELETE FROM \"OutboxMessage\"", StringComparison.Ordinal) && Interlocked.Exchange(ref _toLose, 0) == 1)
            {
                Interlocked.Increment(ref _lost);
                throw NewLoss();
            }

            return new(result);
        }
    }

    private static NpgsqlException NewLoss() => new("The connection was lost, as the test asked.", new IOException());
}
