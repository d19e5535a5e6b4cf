using System.Data.Common;
using System.Net;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Notify.Store;
using Notify.Tests;
using Npgsql;

namespace Notify.IntegrationTests.Databases;

/// <summary>How acceptances come into PostgreSQL.</summary>
public sealed class AcceptancesTests(SharedDatabases databases)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_log_that_is_locked_holds_up_no_push_and_is_written_afterwards()
    {
        var database = (await databases.NewPostgreSqlAsync())!;
        await using var service = await NotifyService.StartAsync(database.Settings);
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, _) = await service.SubscribeAsync(browser.Agent, "ada");
        await using var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        await using var locks = new NpgsqlCommand("""LOCK TABLE "Deliveries" IN ACCESS EXCLUSIVE MODE""", connection, transaction);
        await locks.ExecuteNonQueryAsync(Cancellation);

        // Of one subscription, whose next push waits in memory until the log or the bus has the last.
        var messages = Enumerable.Range(0, 5).Select(_ => Guid.NewGuid()).ToList();
        foreach (var message in messages)
        {
            await service.PostAsync(new { messageId = message, recipientIds = new[] { "ada" }, title = $"{message}" });
        }

        await Eventually.TrueAsync(() => browser.Received.Count == messages.Count);
        Assert.Equal(messages.Select(message => $"{message}"), browser.TitlesOf(subscription));
        await transaction.RollbackAsync(Cancellation);

        foreach (var message in messages)
        {
            Assert.Equal("accepted", Assert.Single(await service.SettledDeliveriesAsync(message, 1)).GetProperty("state").GetString());
        }

        Assert.Equal(messages.Count, browser.Received.Count);
    }

    [Fact]
    public async Task Requests_that_wait_for_a_database_that_hangs_are_answered_503_within_seconds()
    {
        var database = (await databases.NewPostgreSqlAsync())!;
        await using var service = await NotifyService.StartAsync(database.Settings);
        await using var connection = new NpgsqlConnection(database.ConnectionString);
        await connection.OpenAsync(Cancellation);
        await using var transaction = await connection.BeginTransactionAsync(Cancellation);
        await using var locks = new NpgsqlCommand("""LOCK TABLE "Subscriptions", "Deliveries" IN ACCESS EXCLUSIVE MODE""", connection, transaction);
        await locks.ExecuteNonQueryAsync(Cancellation);
        using var http = service.ClientOf("ada");

        // A statement alone has half a minute, and four tries more.
        http.Timeout = TimeSpan.FromSeconds(25);
        foreach (var answer in await Task.WhenAll(new[] { "api/subscriptions", $"api/messages/{Guid.NewGuid()}/deliveries" }.Select(path => http.GetAsync(path, Cancellation))))
        {
            using (answer)
            {
                Assert.Equal((HttpStatusCode.ServiceUnavailable, "application/problem+json"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
                Assert.Contains("\"code\":\"unavailable\"", await answer.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
            }
        }

        Assert.Contains(service.Logs.Lines, line => line.Contains("A request is answered 503", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Only_what_is_news_to_the_subscription_is_noted_on_it()
    {
        var notes = new Notes();
        await using var service = await NotifyService.StartAsync(
            null, builder => builder.Services.ConfigureDbContext<PostgreSqlNotifyDbContext>(options => options.AddInterceptors(notes)), (await databases.NewPostgreSqlAsync())!.Settings);
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");

        foreach (var message in Enumerable.Range(0, 3).Select(_ => Guid.NewGuid()))
        {
            await service.PostAsync(new { messageId = message, recipientIds = new[] { "ada" }, title = "hello" });
            await service.SettledDeliveriesAsync(message, 1);
        }

        Assert.Equal(1, notes.Count);
    }

    private sealed class Notes : DbCommandInterceptor
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            if (command.CommandText.Contains("SET \"LastAcceptedAt\"", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref _count);
            }

            return new(result);
        }
    }
}
