using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Notify.Store;

/// <summary>
/// Sets each connection up for many readers beside one writer: a write-ahead log, and writers that wait for each other rather than fail. With
/// <c>synchronous=NORMAL</c> a crash of the process loses nothing; a power cut may lose the last transactions, as the in-memory bus would anyway. With <c>FULL</c> it loses none.
/// </summary>
/// <param name="busForgets">Whether the bus has nothing left after a power cut.</param>
internal sealed class SqlitePragmas(bool busForgets) : DbConnectionInterceptor
{
    private const string WriteAheadLog = "PRAGMA journal_mode=WAL; ";

    private readonly string _pragmas = $"PRAGMA synchronous={(busForgets ? "NORMAL" : "FULL")}; PRAGMA busy_timeout=30000;";

    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => Apply(connection);

    public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Apply(connection);
        return Task.CompletedTask;
    }

    private void Apply(DbConnection connection)
    {
        using var command = connection.CreateCommand();

        // Entity Framework looks whether the file is there by a connection that may only read, and the kind of log is part of the file.
        command.CommandText = new SqliteConnectionStringBuilder(connection.ConnectionString).Mode == SqliteOpenMode.ReadOnly ? _pragmas : WriteAheadLog + _pragmas;
        command.ExecuteNonQuery();
    }
}
