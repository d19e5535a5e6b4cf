using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Notify.Tests.Store;

/// <summary>Lets one query fail, as a locked database would.</summary>
/// <param name="which">Part of its SQL; any query if null.</param>
/// <param name="code">SQLite's code of the error; 5 (SQLITE_BUSY) is waited out, 1 (SQLITE_ERROR) is not.</param>
public sealed class FailingQueries(string? which = null, int code = 5) : DbCommandInterceptor
{
    private int _toFail;
    private int _failed;

    /// <summary>Whether one has failed.</summary>
    public bool HasFailed => Volatile.Read(ref _failed) > 0;

    /// <summary>The next one fails.</summary>
    public void FailNext() => Volatile.Write(ref _toFail, 1);

    /// <inheritdoc />
    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
    {
        if ((which is null || command.CommandText.Contains(which, StringComparison.Ordinal)) && Interlocked.Exchange(ref _toFail, 0) == 1)
        {
            Volatile.Write(ref _failed, 1);
            throw new SqliteException("as the test asked", code);
        }

        return new(result);
    }
}
