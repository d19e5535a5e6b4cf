using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Notify.Store;

/// <summary>
/// Sets each connection up for many readers beside one writer: a write-ahead log, and writers that wait for each other rather than fail. With
/// <c>synchronous=NORMAL</c> a crash of the process loses nothing; a power cut may lose the last transactions, as the in-memory bus would anyway.
/// </summary>
internal sealed class SqlitePragmas : DbConnectionInterceptor
{
    private const string Pragmas = "PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=30000;";

    // 32 MB of log, not 4, before it is written back to the database: a page that changes often is written back less often.
    private const string WriteAheadLog = "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=8000; ";

    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => Apply(connection);

    public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Apply(connection);
        return Task.CompletedTask;
    }

    private static void Apply(DbConnection connection)
    {
        using var command = connection.CreateCommand();

        // Entity Framework looks whether the file is there by a connection that may only read, and the kind of log is part of the file.
        command.CommandText = new SqliteConnectionStringBuilder(connection.ConnectionString).Mode == SqliteOpenMode.ReadOnly ? Pragmas : WriteAheadLog + Pragmas;
        command.ExecuteNonQuery();
    }
}
