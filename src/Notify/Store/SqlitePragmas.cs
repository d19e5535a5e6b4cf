using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Notify.Store;

/// <summary>
/// Sets each connection up for many readers beside one writer: a write-ahead log, and writers that wait for each other rather than fail. With
/// <c>synchronous=NORMAL</c> a crash of the process loses nothing; a power cut may lose the last transactions, as the in-memory bus would anyway.
/// </summary>
internal sealed class SqlitePragmas : DbConnectionInterceptor
{
    private const string Pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=30000;";

    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => Apply(connection);

    public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Apply(connection);
        return Task.CompletedTask;
    }

    private static void Apply(DbConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = Pragmas;
        command.ExecuteNonQuery();
    }
}
