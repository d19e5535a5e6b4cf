using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Notify.Tests.Store;

/// <summary>Lets one of Entity Framework's commands fail, as a locked database would.</summary>
public sealed class FailingQueries : DbCommandInterceptor
{
    private const int Busy = 5;

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
        FailIfAsked();
        return new(result);
    }

    /// <inheritdoc />
    public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
    {
        FailIfAsked();
        return new(result);
    }

    private void FailIfAsked()
    {
        if (Interlocked.Exchange(ref _toFail, 0) == 1)
        {
            Volatile.Write(ref _failed, 1);
            throw new SqliteException("as the test asked", Busy);
        }
    }
}
