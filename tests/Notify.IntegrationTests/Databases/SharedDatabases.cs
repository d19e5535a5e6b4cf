using System.Collections.Concurrent;
using Microsoft.Data.SqlClient;
using Notify.IntegrationTests.Databases;
using Notify.Store;
using Notify.Tests.Store;

[assembly: AssemblyFixture(typeof(SharedDatabases))]

namespace Notify.IntegrationTests.Databases;

/// <summary>
/// One PostgreSQL for all tests that need no more than a database of their own: started when first asked for, ended with the run. A test
/// class gets it as a parameter of its constructor. Never kill it.
/// </summary>
public sealed class SharedDatabases : IAsyncDisposable
{
    private const string SqlServerVariable = "ConnectionStrings__NotifySqlServer";

    private readonly ConcurrentBag<(string Server, string Name)> _onSqlServer = [];

    // Not for the one test that came first: its end must not end the others' server.
    private readonly Lazy<Task<PostgreSqlServer>> _postgreSql = new(() => PostgreSqlServer.StartAsync(CancellationToken.None));

    /// <summary>Makes an empty PostgreSQL database, and returns its connection string; or skips the test where PostgreSQL is not installed.</summary>
    public async Task<string> NewPostgreSqlDatabaseAsync()
    {
        PostgreSqlInstallation.Find();
        return await (await _postgreSql.Value).NewDatabaseAsync();
    }

    /// <summary>An empty PostgreSQL database, for the tests of any store.</summary>
    public async Task<TestDatabase?> NewPostgreSqlAsync() => new(StoreKind.PostgreSql, await NewPostgreSqlDatabaseAsync());

    /// <summary>
    /// An empty SQL Server database, for the tests of any store; or skips the test where no server is given. There is none to install from Debian's packages, so it is skipped even where
    /// everything else is required.
    /// </summary>
    public async Task<TestDatabase?> NewSqlServerAsync()
    {
        if (Environment.GetEnvironmentVariable(SqlServerVariable) is not { Length: > 0 } server)
        {
            Assert.Skip($"No SQL Server is given. Set {SqlServerVariable} to the connection string of a user who may create databases.");
            return null;
        }

        var name = $"test_{Guid.NewGuid():N}";
        await RunAsync(server, $"CREATE DATABASE {name}");
        _onSqlServer.Add((server, name));
        return new TestDatabase(StoreKind.SqlServer, new SqlConnectionStringBuilder(server) { InitialCatalog = name }.ConnectionString);
    }

    public async ValueTask DisposeAsync()
    {
        SqlConnection.ClearAllPools();
        foreach (var (server, name) in _onSqlServer)
        {
            await RunAsync(server, $"ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE; DROP DATABASE {name}");
        }

        if (_postgreSql is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
        {
            await (await _postgreSql.Value).DisposeAsync();
        }
    }

    private static async Task RunAsync(string server, string statement)
    {
        await using var connection = new SqlConnection(server);
        await connection.OpenAsync();
        await using var command = new SqlCommand(statement, connection);
        await command.ExecuteNonQueryAsync();
    }
}
