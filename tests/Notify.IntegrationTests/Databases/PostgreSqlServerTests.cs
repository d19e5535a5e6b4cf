using Npgsql;

namespace Notify.IntegrationTests.Databases;

public class PostgreSqlServerTests(SharedDatabases shared)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_committed_row_survives_a_kill_and_an_uncommitted_one_does_not()
    {
        await using var server = await PostgreSqlServer.StartAsync(Ct);
        var database = await server.NewDatabaseAsync();
        await ExecuteAsync(database, "CREATE TABLE kept (word text)");
        await ExecuteAsync(database, "INSERT INTO kept VALUES ('committed')");
        await using (var connection = await ConnectAsync(database))
        {
            await using var transaction = await connection.BeginTransactionAsync(Ct);
            await using var insert = new NpgsqlCommand("INSERT INTO kept VALUES ('uncommitted')", connection, transaction);
            await insert.ExecuteNonQueryAsync(Ct);

            await server.KillAsync();
            Assert.Empty(server.Processes);
            await Assert.ThrowsAnyAsync<NpgsqlException>(() => transaction.CommitAsync(Ct));
            await Assert.ThrowsAnyAsync<NpgsqlException>(() => ConnectAsync(database));
        }

        await server.StartAgainAsync(Ct);
        Assert.Equal(["committed"], await WordsAsync(database));
    }

    [Fact]
    public async Task A_stop_does_not_wait_for_clients_and_a_row_survives_it()
    {
        await using var server = await PostgreSqlServer.StartAsync(Ct);
        var database = await server.NewDatabaseAsync();
        await ExecuteAsync(database, "CREATE TABLE kept (word text)");
        await using (var connection = await ConnectAsync(database))
        {
            await ExecuteAsync(database, "INSERT INTO kept VALUES ('committed')");
            await server.StopAsync();
        }

        await server.StartAgainAsync(Ct);
        Assert.Equal(["committed"], await WordsAsync(database));
    }

    [Fact]
    public async Task Two_databases_are_apart()
    {
        var one = await shared.NewPostgreSqlDatabaseAsync();
        var other = await shared.NewPostgreSqlDatabaseAsync();
        await ExecuteAsync(one, "CREATE TABLE kept (word text)");
        await ExecuteAsync(other, "CREATE TABLE kept (word text)");
        await ExecuteAsync(one, "INSERT INTO kept VALUES ('one')");

        Assert.Equal(["one"], await WordsAsync(one));
        Assert.Empty(await WordsAsync(other));
    }

    [Fact]
    public async Task Nothing_is_left_behind()
    {
        var server = await PostgreSqlServer.StartAsync(Ct);
        await using (server)
        {
            await server.NewDatabaseAsync();
            Assert.True(Directory.Exists(server.Folder));
            Assert.NotEmpty(server.Processes);
        }

        Assert.Empty(server.Processes);
        Assert.False(Directory.Exists(server.Folder));
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => ConnectAsync(server.ConnectionString("postgres")));
    }

    // Of no pool, for a pool does not know of the kill.
    private static async Task<NpgsqlConnection> ConnectAsync(string database)
    {
        var connection = new NpgsqlConnection($"{database};Pooling=false");
        await connection.OpenAsync(Ct);
        return connection;
    }

    private static async Task ExecuteAsync(string database, string sql)
    {
        await using var connection = await ConnectAsync(database);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Ct);
    }

    private static async Task<List<string>> WordsAsync(string database)
    {
        await using var connection = await ConnectAsync(database);
        await using var command = new NpgsqlCommand("SELECT word FROM kept", connection);
        await using var reader = await command.ExecuteReaderAsync(Ct);
        var words = new List<string>();
        while (await reader.ReadAsync(Ct))
            words.Add(reader.GetString(0));
        return words;
    }
}
