using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Notify.Store;

namespace Notify.Tests.Store;

public sealed class StoreLogTests
{
    [Fact]
    public async Task A_database_that_cannot_be_reached_is_left_for_whoever_needs_it_to_tell_of()
    {
        using var logs = new LogCollector(LogLevel.Debug);
        await using var services = new ServiceCollection()
            .AddLogging(logging => logging.SetMinimumLevel(LogLevel.Debug).AddProvider(logs))
            .AddNotifyStore(new ConfigurationBuilder().AddInMemoryCollection([new("ConnectionStrings:Notify", "Data Source=/nowhere/notify.db")]).Build())
            .BuildServiceProvider();
        await using var db = await services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<SqliteException>(() => db.Subscriptions.ToListAsync(TestContext.Current.CancellationToken));

        Assert.Contains(logs.Lines, line => line.StartsWith("Debug Microsoft.EntityFrameworkCore.Database.Connection: An error occurred", StringComparison.Ordinal));
        Assert.DoesNotContain(logs.Lines, line => line.StartsWith("Error", StringComparison.Ordinal));
    }
}
