using System.Collections.Concurrent;
using System.Data;
using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Notify.Tests.Store;

/// <summary>Lets some of SQLite's commands fail, as a locked database would, whether they are Entity Framework's or the store's own. Entity Framework adds none of its functions to these connections.</summary>
/// <param name="which">Tells them.</param>
/// <param name="code">SQLite's code of the error; 5 (SQLITE_BUSY) is waited out, 1 (SQLITE_ERROR) is not.</param>
public sealed class FailingCommands(Func<SqliteCommand, bool> which, int code) : DbConnectionInterceptor
{
    private ConcurrentQueue<int> _toFail = new();
    private int _failed;

    /// <summary>Those of which the SQL has this in it.</summary>
    public FailingCommands(string sql, int code)
        : this(command => command.CommandText.Contains(sql, StringComparison.Ordinal), code)
    {
    }

    /// <summary>How many have failed.</summary>
    public int Failed => Volatile.Read(ref _failed);

    /// <summary>The next ones fail.</summary>
    public void FailNext(int times = 1) => FailNextWith([.. Enumerable.Repeat(code, times)]);

    /// <summary>The next ones fail, each with its code.</summary>
    public void FailNextWith(params int[] codes) => Volatile.Write(ref _toFail, new ConcurrentQueue<int>(codes));

    /// <inheritdoc />
    public override InterceptionResult<DbConnection> ConnectionCreating(ConnectionCreatingEventData eventData, InterceptionResult<DbConnection> result) =>
        InterceptionResult<DbConnection>.SuppressWithResult(new Connection(this, eventData.Context!.Database.GetConnectionString()!));

    private void FailIfAsked(SqliteCommand command)
    {
        if (which(command) && Volatile.Read(ref _toFail).TryDequeue(out var error))
        {
            Interlocked.Increment(ref _failed);
            throw new SqliteException("as the test asked", error);
        }
    }

    private sealed class Connection(FailingCommands owner, string connectionString) : SqliteConnection(connectionString)
    {
        public override SqliteCommand CreateCommand() => new Command(owner) { Connection = this, CommandTimeout = DefaultTimeout, Transaction = Transaction };
    }

    private sealed class Command(FailingCommands owner) : SqliteCommand
    {
        public override SqliteDataReader ExecuteReader(CommandBehavior behavior)
        {
            owner.FailIfAsked(this);
            return base.ExecuteReader(behavior);
        }
    }
}
