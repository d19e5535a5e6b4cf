using System.Data.Common;
using Microsoft.Data.SqlClient;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Notify.Store;

/// <summary>Tells a database that cannot be reached or used just now, which is waited for, from a command that it will never take.</summary>
internal static class StoreAway
{
    // SQLITE_BUSY, _LOCKED, _IOERR, _FULL, _CANTOPEN.
    private static readonly int[] Sqlite = [5, 6, 10, 13, 14];

    // Connection exceptions, insufficient resources, operator intervention; and a server that only reads, as one that has just been, or is not yet, the primary (PostgreSQL, appendix A).
    private static readonly string[] PostgreSql = ["08", "53", "57P", "25006"];

    // Time-out, no such server, database offline or starting, login failed for a database that is not open, or by a server that is not ready or is being upgraded; no room left in the database
    // or its log; a replica that only reads, is becoming the primary, or no longer is; and what Azure says of a move to another machine and of a server that has too much to do.
    private static readonly int[] SqlServer =
    [
        -2, -1, 2, 53, 233, 921, 922, 942, 976, 983, 1105, 3906, 4060, 9002, 10053, 10054, 10060, 10061, 10928, 10929, 10936, 17197, 18401, 40143, 40197, 40501, 40613, 49918, 49919, 49920,
    ];

    private const string SqlClient = "Microsoft.Data.SqlClient";

    // From here on the server has ended the connection.
    private const byte SqlServerFatal = 20;

    /// <summary>Whether an exception, or one within it, says so.</summary>
    public static bool IsSaidBy(Exception? exception) => exception switch
    {
        null => false,
        SqliteException sqlite => Sqlite.Contains(sqlite.SqliteErrorCode),
        PostgresException postgres => postgres.IsTransient || Array.Exists(PostgreSql, start => postgres.SqlState.StartsWith(start, StringComparison.Ordinal)),
        SqlException sql => sql.Class >= SqlServerFatal || SqlServer.Contains(sql.Number),
        DbException { IsTransient: true } or TimeoutException => true,

        // All connections of its pool are in use for as long as one waits for a connection: it has no exception of its own for that.
        InvalidOperationException { Source: SqlClient, InnerException: null } pool when pool.Message.Contains("pool", StringComparison.Ordinal) => true,
        _ => IsSaidBy(exception.InnerException),
    };
}
