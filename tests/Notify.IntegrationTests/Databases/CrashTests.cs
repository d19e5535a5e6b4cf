using System.Globalization;
using Notify.IntegrationTests.Brokers;
using Notify.Store;
using Notify.Tests.Store;

namespace Notify.IntegrationTests.Databases;

/// <summary>No row without its event and no event without its row, wherever a worker dies.</summary>
[Collection("RabbitMQ")]
public sealed class CrashTests(SharedBrokers brokers, SharedDatabases databases, ITestOutputHelper output)
{
    private static int Kills => int.Parse(Environment.GetEnvironmentVariable("NOTIFY_TEST_KILLS") ?? "1000", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(StoreKind.Sqlite)]
    [InlineData(StoreKind.PostgreSql)]
    public Task Rows_and_events_agree_after_workers_were_killed(StoreKind store) => RunAsync(store, kills: 8);

    /// <summary>The table of docs/evidence.md, by hand: NOTIFY_TEST_KILLS kills, a thousand unless set.</summary>
    [Fact(Explicit = true)]
    public Task A_soak_of_many_kills_on_SQLite() => RunAsync(StoreKind.Sqlite, Kills);

    /// <inheritdoc cref="A_soak_of_many_kills_on_SQLite" />
    [Fact(Explicit = true)]
    public Task A_soak_of_many_kills_on_PostgreSQL() => RunAsync(StoreKind.PostgreSql, Kills);

    private async Task RunAsync(StoreKind store, int kills)
    {
        var broker = await brokers.NewVirtualHostAsync(RabbitMqVersion.V3);
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            var database = store == StoreKind.PostgreSql
                ? (await databases.NewPostgreSqlAsync())!
                : new TestDatabase(StoreKind.Sqlite, $"Data Source={Path.Combine(folder.FullName, "notify.db")}");

            var run = await CrashRun.RunAsync(broker, database, workers: 4, kills);

            output.WriteLine($"{store}: {run}");
            Assert.Equal((0, 0), (run.RowsWithoutEvent, run.EventsWithoutRow));
            Assert.True(run.Changes > kills, "Too little was written for the test to mean anything.");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
