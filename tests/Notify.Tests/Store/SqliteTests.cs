using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Notify.Dashboard;
using Notify.Fanout;
using Notify.Store;
using Notify.Tests.Messaging.Outbox;
using Notify.Tests.Sending;
using Notify.Tests.Subscriptions;

namespace Notify.Tests.Store;

/// <summary>The store's tests on SQLite.</summary>
public sealed class SqliteStoreTests : StoreTests;

/// <summary>The waiting lines' tests on SQLite.</summary>
public sealed class SqliteWaitingLinesTests : WaitingLinesTests;

/// <summary>The outbox' tests on SQLite.</summary>
public sealed class SqliteOutboxTests : OutboxTests;

/// <summary>Those who change subscriptions at once, on SQLite.</summary>
public sealed class SqliteSubscriptionRegistryTests : SubscriptionRegistryTests;

/// <summary>The whole way on SQLite.</summary>
public sealed class SqliteMainWayTests : MainWayTests;

/// <summary>Secrets in SQLite.</summary>
public sealed class SqliteEncryptionTests : Encryption.EncryptionTests;

/// <summary>SQLite files that were not made by the service.</summary>
public sealed class SqliteFileTests
{
    [Fact]
    public Task A_file_whose_journal_is_SQLites_own_default_is_migrated_and_used() => OnFileAsync(
        "PRAGMA journal_mode=DELETE; CREATE TABLE another (id); DROP TABLE another;",
        async file =>
        {
            await using var db = Open(file);
            await db.Database.MigrateAsync(TestContext.Current.CancellationToken);
            Assert.Empty(await db.Database.GetPendingMigrationsAsync(TestContext.Current.CancellationToken));
            Assert.Empty(await db.Subscriptions.ToListAsync(TestContext.Current.CancellationToken));
        });

    [Fact]
    public Task A_file_of_another_program_is_not_taken_for_a_new_one_in_production() => OnFileAsync(
        "CREATE TABLE another (id);",
        async file =>
        {
            using var pair = WebPush.VapidKeyPair.Generate();
            var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => NotifyService.StartAsync([.. Authentication.ProductionService.Settings(pair), $"--ConnectionStrings:Notify=Data Source={file}"]));
            Assert.Contains("not at the current schema", refusal.Message, StringComparison.Ordinal);
        });

    [Fact]
    public async Task A_new_file_is_its_owners_alone()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such rights");
        await using var service = await NotifyService.StartAsync();
        await using var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(TestContext.Current.CancellationToken);
        var file = new FileInfo(db.Database.GetDbConnection().DataSource);

        Assert.All(file.Directory!.GetFiles(), each => Assert.Equal((each.Name, UnixFileMode.UserRead | UnixFileMode.UserWrite), (each.Name, each.UnixFileMode)));
    }

    [Fact]
    public Task A_migration_goes_on_where_a_process_was_killed_while_it_migrated_and_two_at_once_do_it_one_after_the_other() => OnFileAsync(
        """CREATE TABLE "__EFMigrationsLock" ("Id" INTEGER NOT NULL PRIMARY KEY, "Timestamp" TEXT NOT NULL); INSERT INTO "__EFMigrationsLock" VALUES (1, '2026-01-01 00:00:00');""",
        async file =>
        {
            await using var one = Open(file);
            await using var other = Open(file);

            await Task.WhenAll(new[] { one, other }.Select(db => Task.Run(() => StoreStartup.MigrateAsync(db, TestContext.Current.CancellationToken)))).WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);

            Assert.Empty(await one.Database.GetPendingMigrationsAsync(TestContext.Current.CancellationToken));
            Assert.Equal(0, one.Database.GetCommandTimeout());
            Assert.False(File.Exists($"{file}-migration"));
        });

    [Fact]
    public async Task A_context_that_comes_out_of_its_pool_again_works_on_the_connection_it_has_then()
    {
        await using var store = await TestStore.CreateAsync();
        var handles = new Dictionary<NotifyDbContext, HashSet<object>>();
        for (var round = 0; round < 4; round++)
        {
            List<NotifyDbContext> contexts = [store.Open(), store.Open(), store.Open()];
            foreach (var db in round % 2 == 0 ? contexts : contexts.AsEnumerable().Reverse())
            {
                await db.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
                (handles.TryGetValue(db, out var known) ? known : handles[db] = []).Add(((SqliteConnection)db.Database.GetDbConnection()).Handle!);
            }

            // A statement of another connection would wait for this one's transaction, until SQLite gives up.
            foreach (var db in contexts)
            {
                var part = new FannedOutPart { MessageId = Guid.NewGuid(), Count = 1 };
                await db.AddFannedOutPartsAsync([part]);
                Assert.Single(await db.FindFannedOutPartsAsync([part]));
            }

            foreach (var db in contexts)
            {
                await db.Database.CloseConnectionAsync();
                await db.DisposeAsync();
            }
        }

        Assert.Contains(handles.Values, seen => seen.Count > 1);
    }

    [Fact]
    public async Task The_delivery_log_has_one_index_by_which_a_users_last_rows_are_found_and_old_ones_are_deleted()
    {
        var asked = new List<(string Sql, SqliteParameter[] Parameters)>();
        await using var store = await TestStore.CreateAsync(new FailingCommands(
            command =>
            {
                asked.Add((command.CommandText, [.. command.Parameters.Cast<SqliteParameter>().Select(parameter => new SqliteParameter(parameter.ParameterName, parameter.Value))]));
                return false;
            },
            code: 1));
        await using var connection = new SqliteConnection(store.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var db = store.Open();

        await new Timelines(db).OfUserAsync("ada", TestContext.Current.CancellationToken);

        Assert.Equal(["IX_Deliveries_UpdatedAt_UserId"], Read("SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'Deliveries' AND name LIKE 'IX%'", 0));
        var (ofUser, parameters) = Assert.Single(asked, command => command.Sql.Contains("FROM \"Deliveries\"", StringComparison.Ordinal));
        Assert.Equal(["SCAN d USING INDEX IX_Deliveries_UpdatedAt_UserId"], Read($"EXPLAIN QUERY PLAN {ofUser}", 3, parameters));
        Assert.Equal(
            ["SEARCH Deliveries USING INDEX IX_Deliveries_UpdatedAt_UserId (UpdatedAt>? AND UpdatedAt<?)"],
            Read("""EXPLAIN QUERY PLAN DELETE FROM "Deliveries" WHERE "UpdatedAt" >= 1 AND "UpdatedAt" < 2""", 3));

        List<string> Read(string sql, int column, params SqliteParameter[] values)
        {
            using var command = new SqliteCommand(sql, connection);
            command.Parameters.AddRange(values);
            using var reader = command.ExecuteReader();
            var rows = new List<string>();
            while (reader.Read())
            {
                rows.Add(reader.GetString(column));
            }

            return rows;
        }
    }

    [Theory]
    [InlineData("Data Source=:memory:")]
    [InlineData("Data Source=notify;Mode=Memory;Cache=Shared")]
    [InlineData("Data Source=file::memory:")]
    [InlineData("Data Source=file:notify?mode=memory&cache=shared")]
    public void One_in_memory_is_refused_with_the_reason(string connectionString) =>
        Assert.Contains("a database in memory", StoreSetup.FaultOf(StoreKind.Sqlite, connectionString), StringComparison.Ordinal);

    [Theory]
    [InlineData("InMemory", 1L)]
    [InlineData("RabbitMq", 2L)]
    public Task Where_the_bus_keeps_what_it_has_over_a_power_cut_so_does_the_file(string transport, long synchronous) => OnFileAsync("", async file =>
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Notify:Transport", transport), new("ConnectionStrings:Notify", $"Data Source={file}")]).Build();
        await using var services = new ServiceCollection().AddLogging().AddNotifyStore(configuration).BuildServiceProvider();
        await using var db = await services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(TestContext.Current.CancellationToken);

        Assert.Equal(synchronous, (await db.Database.SqlQueryRaw<long>("SELECT synchronous AS Value FROM pragma_synchronous").ToListAsync(TestContext.Current.CancellationToken)).Single());
    });

    private static SqliteNotifyDbContext Open(string file)
    {
        var options = new DbContextOptionsBuilder<SqliteNotifyDbContext>();
        options.UseNotifySqlite($"Data Source={file}", busForgets: true);
        return new SqliteNotifyDbContext(options.Options);
    }

    /// <summary>On a file that another has made.</summary>
    private static async Task OnFileAsync(string made, Func<string, Task> test)
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            var file = Path.Combine(folder.FullName, "notify.db");
            await using (var connection = new SqliteConnection($"Data Source={file}"))
            {
                await connection.OpenAsync(TestContext.Current.CancellationToken);
                await using var command = connection.CreateCommand();
                command.CommandText = made;
                await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
            }

            await test(file);
        }
        finally
        {
            SqliteConnection.ClearAllPools();
            folder.Delete(recursive: true);
        }
    }
}
