using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Messaging.Outbox;
using Notify.Operations;
using Notify.Sending;
using Notify.Store;
using Notify.Store.Encryption;
using Notify.Subscriptions;
using Notify.Tests.Store;
using Npgsql;

namespace Notify.IntegrationTests.Databases;

/// <summary>What the store's queries cost on PostgreSQL as it grows, and which indexes they take.</summary>
public sealed partial class StoreScaleTests(SharedDatabases databases, ITestOutputHelper output)
{
    private const int Recipients = 1_000;
    private const int PartSize = 500;
    private const int Rounds = 5;

    /// <summary>Rows of each table beside <c>Subscriptions</c>, however large that is.</summary>
    private const int Others = 100_000;

    // Below, PostgreSQL rightly reads the whole table for 500 users.
    private const int WorthAnIndex = 100_000;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The tables of docs/evidence.md come from a run by hand with ten million.</summary>
    [Fact]
    public Task Every_query_of_the_way_takes_an_index() => RunAsync(300_000);

    /// <summary>The tables of docs/evidence.md, by hand: needs some 10 GB of disk.</summary>
    [Fact(Explicit = true)]
    public Task From_ten_thousand_subscriptions_to_ten_million() => RunAsync(10_000, 100_000, 1_000_000, 10_000_000);

    private async Task RunAsync(params int[] sizes)
    {
        var plans = new QueryPlans();
        await using var store = await TestStore.CreateAsync(await databases.NewPostgreSqlAsync(), plans);
        foreach (var size in sizes)
        {
            await FillAsync(store.ConnectionString, size);
            await FanOutAsync(store, plans, size);
            if (size < WorthAnIndex)
            {
                plans.Seen.Clear();
            }
        }

        await FillTheOthersAsync(store.ConnectionString);
        await AskAllAsync(store, plans);
        foreach (var (sql, plan) in plans.Seen.AsEnumerable().Reverse().DistinctBy(seen => seen.Sql).Reverse())
        {
            output.WriteLine($"{Spaces().Replace(sql, " ")}\n{string.Join('\n', LongLists().Replace(plan, "'{…}'").Split('\n').Where(line => !Details().IsMatch(line)))}\n");
        }

        var scans = plans.Seen.Where(seen => BigScan().IsMatch(seen.Plan)).Select(seen => $"{seen.Sql}\n{seen.Plan}").Distinct();
        Assert.Empty(scans);
    }

    // As a part of an audience is fanned out whose users nobody has asked for before.
    private async Task FanOutAsync(TestStore store, QueryPlans plans, int size)
    {
        var times = new List<double>();
        var (queries, found) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            await using var services = new ServiceCollection().AddHybridCache().Services.BuildServiceProvider();
            var cache = new SubscriptionCache(services.GetRequiredService<HybridCache>(), store.Factory, SecretCipher.None, Options.Create(new SubscriptionsOptions()), NullLogger<SubscriptionCache>.Instance);
            var users = Enumerable.Range(0, Recipients).Select(_ => $"user-{Random.Shared.Next(size / 2)}").Distinct().ToList();
            var before = plans.Count;
            var started = TimeProvider.System.GetTimestamp();
            found = 0;
            foreach (var part in users.Chunk(PartSize))
            {
                found += (await cache.GetManyAsync(part, Cancellation)).Sum(user => user.Subscriptions.Count);
            }

            times.Add(TimeProvider.System.GetElapsedTime(started).TotalMilliseconds);
            queries = plans.Count - before;
        }

        plans.Explains = true;
        await using (var db = store.Open())
        {
            var users = Enumerable.Range(0, PartSize).Select(_ => $"user-{Random.Shared.Next(size / 2)}").ToArray();
            await db.Subscriptions.AsNoTracking().Where(subscription => users.Contains(subscription.UserId)).OrderBy(subscription => subscription.Id).ToListAsync(Cancellation);
        }

        plans.Explains = false;
        var last = plans.Seen[^1].Plan;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {size:N0} | {queries} | {found:N0} | {times.Order().ElementAt(Rounds / 2):0.0} | {Buffers().Match(last).Groups[1].Value} | {Execution().Match(last).Groups[1].Value} |"));
    }

    private static async Task AskAllAsync(TestStore store, QueryPlans plans)
    {
        plans.Explains = true;
        await using var db = store.Open();
        var rows = await db.Subscriptions.AsNoTracking().OrderBy(row => row.Id).Take(256).ToListAsync(Cancellation);
        using var outage = new StoreOutage(TimeProvider.System, NullLogger.Instance);
        await using (var reader = new SubscriptionStateReader(store.Factory, outage))
        {
            var push = new SendPush { SubscriptionId = rows[0].Id, UserId = rows[0].UserId, MessageId = Guid.NewGuid(), Payload = "{}", Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.MaxValue };
            await reader.FindAsync(push);
            await reader.FindAsync(push with { SubscriptionId = Guid.NewGuid() });
        }

        await using (var lines = new WaitingLines(store.Factory, TimeProvider.System, NullLogger<WaitingLines>.Instance))
        {
            var push = new SendPush { SubscriptionId = rows[0].Id, UserId = rows[0].UserId, MessageId = Guid.NewGuid(), Payload = "{}", Topic = "topic", Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.MaxValue };
            await lines.HoldAsync(push, null, attempts: 1, DateTimeOffset.UnixEpoch, Cancellation);
            for (var newer = 0; newer < 2; newer++)
            {
                await lines.TakeTurnAsync(push with { MessageId = Guid.NewGuid() }, null, isRedelivered: false, CancellationToken.None, Cancellation);
            }

            Assert.IsType<Turn.Superseded>(await lines.TakeTurnAsync(push, attemptsInLine: 1, isRedelivered: false, CancellationToken.None, Cancellation));
            await lines.TakeOverdueAsync(DateTimeOffset.UtcNow, Cancellation).CountAsync(Cancellation);

            // As many at once as there may be: a head each, one behind it, a newer one that puts that out, and the end of all.
            var heads = rows.Skip(1).Select(row => push with { SubscriptionId = row.Id, UserId = row.UserId, MessageId = Guid.NewGuid() }).ToList();
            await Task.WhenAll(heads.Select(head => lines.HoldAsync(head, null, attempts: 1, DateTimeOffset.UnixEpoch, Cancellation)));
            await Task.WhenAll(heads.Select(head => lines.TakeTurnAsync(head with { MessageId = Guid.NewGuid(), Topic = "another" }, null, isRedelivered: false, CancellationToken.None, Cancellation)));
            var others = heads.ConvertAll(head => head with { MessageId = Guid.NewGuid(), Topic = "another" });
            var turns = await Task.WhenAll(others.Select(each => lines.TakeTurnAsync(each, null, isRedelivered: false, CancellationToken.None, Cancellation)));
            await Task.WhenAll(turns.Cast<Turn.StoodInLine>().Select(stood => lines.TakeOutAsync(stood.Older, Cancellation)));
            var goes = await Task.WhenAll(heads.Select(head => lines.TakeTurnAsync(head, attemptsInLine: 1, isRedelivered: false, CancellationToken.None, Cancellation)));
            await Task.WhenAll(goes.Cast<Turn.Go>().Select(go => lines.AdvanceAsync(go.Line, TimeSpan.Zero, _ => Task.CompletedTask, Cancellation)));
            goes = await Task.WhenAll(others.Select(each => lines.TakeTurnAsync(each, attemptsInLine: 0, isRedelivered: false, CancellationToken.None, Cancellation)));
            await Task.WhenAll(goes.Cast<Turn.Go>().Select(go => lines.AdvanceAsync(go.Line, TimeSpan.Zero, _ => throw new InvalidOperationException("Nothing is left."), Cancellation)));
            await using var look = store.Open();
            await lines.DropAsync(await look.WaitingLines.SingleAsync(line => line.SubscriptionId == push.SubscriptionId, Cancellation), _ => Task.CompletedTask, Cancellation);
        }

        var (digest, userId, messageId) = (rows[7].EndpointDigest, rows[7].UserId, Guid.NewGuid());
        await db.Subscriptions.FirstOrDefaultAsync(known => known.EndpointDigest == digest, Cancellation);
        await db.Subscriptions.CountAsync(known => known.UserId == userId && known.EndpointDigest != digest, Cancellation);
        await db.Subscriptions.AsNoTracking().Where(known => known.UserId == userId).OrderBy(known => known.Id).ToListAsync(Cancellation);
        await using (var ledger = store.NewLedger())
        {
            await ledger.ContainsAsync(messageId, 0, PartSize);
        }

        await db.Deliveries.Where(delivery => delivery.MessageId == messageId).ToListAsync(Cancellation);
        var messages = await OutboxDelivery<NotifyDbContext>.OldestOf(db, [Guid.NewGuid()], 100).ToListAsync(Cancellation);
        await OutboxDelivery<NotifyDbContext>.DeleteAsync(db, messages, Cancellation);
        var accepted = rows.Select(row => new Delivery { MessageId = messageId, SubscriptionId = row.Id, UserId = row.UserId, State = DeliveryState.Accepted, UpdatedAt = DateTimeOffset.UtcNow }).ToList();
        await db.WriteOutcomesAsync(accepted, accepted, Cancellation);
        using (var housekeeping = new Housekeeping(store.Factory, Options.Create(new FanoutOptions()), Options.Create(new DeliveryLogOptions()), TimeProvider.System, NullLogger<Housekeeping>.Instance))
        {
            await housekeeping.SweepAsync(Cancellation);
            Assert.Contains(plans.Seen, seen => seen.Sql.Contains("min(f.\"FannedOutAt\")", StringComparison.Ordinal) && seen.Plan.Contains("IX_FannedOutParts_FannedOutAt_Parts", StringComparison.Ordinal));
        }

        plans.Explains = false;
    }

    private static async Task FillAsync(string connectionString, int size)
    {
        var keys = TestStore.NewPushSubscription();
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancellation);

        // Indexes are built faster than they are kept.
        var indexes = new List<string>();
        await using (var query = new NpgsqlCommand("""SELECT indexdef FROM pg_indexes WHERE tablename = 'Subscriptions' AND indexname LIKE 'IX_%'""", connection))
        await using (var reader = await query.ExecuteReaderAsync(Cancellation))
        {
            while (await reader.ReadAsync(Cancellation))
            {
                indexes.Add(reader.GetString(0));
            }
        }

        await RunAsync(
            connection,
            """TRUNCATE "Subscriptions"; DROP INDEX "IX_Subscriptions_EndpointDigest"; DROP INDEX "IX_Subscriptions_UserId";""",
            $"""
            INSERT INTO "Subscriptions" ("Id", "UserId", "Endpoint", "EndpointDigest", "P256dh", "Auth", "ApplicationServerKey", "UserAgent", "Revision", "CreatedAt")
            SELECT (lpad(to_hex(n), 12, '0') || '70008000' || substr(md5(n::text), 1, 12))::uuid, 'user-' || n % {size / 2},
                   'https://fcm.googleapis.com/fcm/send/' || repeat(md5(n::text), 5), translate(substr(encode(sha256(n::text::bytea), 'base64'), 1, 43), '+/', '-_'),
                   '{keys.P256dh}', '{keys.Auth}', '{keys.P256dh}', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 0, now()
            FROM generate_series(1, {size}) AS n
            """,
            string.Join(';', indexes),
            """VACUUM (ANALYZE) "Subscriptions" """);
    }

    // As on a bad day: lines that wait for an hour yet, and an outbox whose broker is away.
    private static async Task FillTheOthersAsync(string connectionString)
    {
        const string id = "md5(n::text)::uuid";
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancellation);
        await RunAsync(
            connection,
            $"""
            INSERT INTO "WaitingLines" ("SubscriptionId", "Head", "HeadMessageId", "Attempts", "NextAttemptAt", "ReleasedThrough", "ReleaseNext")
            SELECT {id}, 1, {id}, 1, now() + interval '1 hour', 1, 1 FROM generate_series(1, {Others}) AS n
            """,
            $$"""
            INSERT INTO "WaitingPushes" ("SubscriptionId", "Position", "MessageId", "Topic", "Command")
            SELECT {{id}}, position, gen_random_uuid(), 'topic', '{}' FROM generate_series(1, {{Others}}) AS n, generate_series(1, 3) AS position
            """,
            $"""INSERT INTO "FannedOutParts" ("MessageId", "Offset", "Count", "FannedOutAt") SELECT {id}, 0, 1, now() FROM generate_series(1, {Others}) AS n""",

            // Messages outlive their parts by days, and the oldest part is behind them all.
            $"""INSERT INTO "FannedOutParts" ("MessageId", "Offset", "Count", "FannedOutAt") SELECT {id}, 0, 0, now() - interval '3 days' FROM generate_series(1, {Others}) AS n""",
            """INSERT INTO "FannedOutParts" ("MessageId", "Offset", "Count", "FannedOutAt") SELECT gen_random_uuid(), 0, 1, now() - interval '1 day 1 minute' FROM generate_series(1, 5) AS n""",
            $"""
            INSERT INTO "Deliveries" ("MessageId", "SubscriptionId", "UserId", "State", "Attempts", "UpdatedAt")
            SELECT {id}, gen_random_uuid(), 'user-' || n, 'Accepted', 1, now() FROM generate_series(1, {Others}) AS n
            """,
            $"""INSERT INTO "OutboxState" ("OutboxId", "LockId", "Created") SELECT {id}, {id}, now() FROM generate_series(1, {Others}) AS n""",
            $$"""
            INSERT INTO "OutboxMessage" ("OutboxId", "MessageId", "ConversationId", "SentTime", "ContentType", "MessageType", "Body")
            SELECT {{id}}, {{id}}, {{id}}, now(), 'application/json', 'urn:message', '{}' FROM generate_series(1, {{Others}}) AS n
            """,
            """VACUUM (ANALYZE) "WaitingLines", "WaitingPushes", "FannedOutParts", "Deliveries", "OutboxState", "OutboxMessage" """,

            // What it knows of the lines is of a good day, when they were empty, and so it may be for the first minutes of an outage.
            """UPDATE pg_class SET reltuples = 0 WHERE relname IN ('WaitingLines', 'WaitingPushes')""");
    }

    private static async Task RunAsync(NpgsqlConnection connection, params string[] statements)
    {
        foreach (var statement in statements)
        {
            await using var command = new NpgsqlCommand(statement, connection) { CommandTimeout = 0 };
            await command.ExecuteNonQueryAsync(Cancellation);
        }
    }

    // Whole, or from one end of an index to the other.
    [GeneratedRegex("Seq Scan on \"?(Subscriptions|Deliveries|FannedOutParts|WaitingLines|WaitingPushes|OutboxState|OutboxMessage)|Scan [^\n]*actual rows=[0-9]{6}")]
    private static partial Regex BigScan();

    [GeneratedRegex("Buffers: (shared [^\n]*)")]
    private static partial Regex Buffers();

    [GeneratedRegex("Execution Time: ([0-9.]+)")]
    private static partial Regex Execution();

    // What is not worth a line in a table: keep the nodes, their conditions and the time.
    [GeneratedRegex("^ *(Buffers|Planning|Planning Time|Heap Fetches|Heap Blocks|Sort Method|Rows Removed|Recheck Cond|Trigger|Index Searches|Batches|Buckets)\\b")]
    private static partial Regex Details();

    [GeneratedRegex("'\\{[^}]{40,}\\}'")]
    private static partial Regex LongLists();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
