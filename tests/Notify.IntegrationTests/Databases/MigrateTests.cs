using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.DependencyInjection;
using Notify.Store;
using Notify.Tests;
using Notify.Tests.Commands;
using Notify.Tests.Store;
using Notify.WebPush;
using Npgsql;

namespace Notify.IntegrationTests.Databases;

/// <summary>How a PostgreSQL database comes to its schema.</summary>
public sealed class MigrateTests(SharedDatabases databases)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_script_makes_the_schema_that_migrate_makes()
    {
        var (byScript, byCommand) = ((await databases.NewPostgreSqlAsync())!, (await databases.NewPostgreSqlAsync())!);
        var script = await NotifyProcess.RunAsync(Environment(byScript), "migrate", "--script");
        Assert.Equal(0, script.ExitCode);
        await RunAsync(byScript, script.Output);

        var migrated = await NotifyProcess.RunAsync(Environment(byCommand), "migrate");
        var again = await NotifyProcess.RunAsync(Environment(byScript), "migrate");

        Assert.Equal((0, 0), (migrated.ExitCode, again.ExitCode));
        Assert.Contains("Initial", migrated.Output, StringComparison.Ordinal);
        Assert.Contains("current schema", again.Output, StringComparison.Ordinal);
        Assert.Equal(await ColumnsAsync(byCommand), await ColumnsAsync(byScript));
    }

    [Fact]
    public async Task The_script_brings_an_older_database_to_the_current_schema()
    {
        var (older, current) = ((await databases.NewPostgreSqlAsync())!, (await databases.NewPostgreSqlAsync())!);
        await using (var db = new PostgreSqlNotifyDbContext(new DbContextOptionsBuilder<PostgreSqlNotifyDbContext>().UseNpgsql(older.ConnectionString).Options))
        {
            await db.GetService<IMigrator>().MigrateAsync(db.Database.GetMigrations().First(), Cancellation);
        }

        var script = await NotifyProcess.RunAsync(Environment(older), "migrate", "--script");
        await RunAsync(older, script.Output);
        Assert.Equal(0, (await NotifyProcess.RunAsync(Environment(current), "migrate")).ExitCode);

        Assert.Equal(await ColumnsAsync(current), await ColumnsAsync(older));
        await RunAsync(older, script.Output);
    }

    [Fact]
    public async Task Outside_development_the_service_says_that_the_database_must_be_migrated_first_and_starts_once_it_is()
    {
        var database = (await databases.NewPostgreSqlAsync())!;
        using var pair = VapidKeyPair.Generate();
        string[] settings =
        [
            .. database.Settings, "--environment=Production", $"--Notify:Auth:SigningKey={new string('k', 48)}", "--Notify:Vapid:Subject=mailto:ops@example.com",
            $"--Notify:Vapid:PublicKey={pair.PublicKey}", $"--Notify:Vapid:PrivateKey={pair.PrivateKey}",
        ];

        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => NotifyService.StartAsync(settings));
        Assert.Contains("'migrate'", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, (await NotifyProcess.RunAsync(Environment(database), "migrate")).ExitCode);

        await using var service = await NotifyService.StartAsync(settings);
        using var http = new HttpClient { BaseAddress = service.Url };
        using var ready = await http.GetAsync("health/ready", Cancellation);
        Assert.Equal(System.Net.HttpStatusCode.OK, ready.StatusCode);
    }

    [Fact]
    public async Task Workers_that_start_at_once_on_an_empty_database_agree_on_one_schema_and_one_key()
    {
        var database = (await databases.NewPostgreSqlAsync())!;

        var services = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => NotifyService.StartAsync(database.Settings)));

        Assert.Single(services.Select(service => service.Services.GetRequiredService<Notify.Sending.VapidKeyRing>().Current.PublicKey).Distinct());
        foreach (var service in services)
        {
            await service.DisposeAsync();
        }
    }

    private static Dictionary<string, string> Environment(TestDatabase database) => new() { ["Notify__Store"] = $"{database.Kind}", ["ConnectionStrings__Notify"] = database.ConnectionString };

    private static async Task RunAsync(TestDatabase database, string script)
    {
        await using var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand(script, connection);
        await command.ExecuteNonQueryAsync(Cancellation);
    }

    private static async Task<List<string>> ColumnsAsync(TestDatabase database)
    {
        await using var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var command = new NpgsqlCommand(
            """
            SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(collation_name, '') FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1
            """,
            connection);
        await using var reader = await command.ExecuteReaderAsync(Cancellation);
        var columns = new List<string>();
        while (await reader.ReadAsync(Cancellation))
        {
            columns.Add(reader.GetString(0));
        }

        return columns;
    }
}
