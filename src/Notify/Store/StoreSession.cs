using System.Data;
using Microsoft.EntityFrameworkCore;

namespace Notify.Store;

/// <summary>The store for one who asks it often, and one thing after the other.</summary>
/// <remarks>
/// On SQLite a context whose connection stays open: to open one, with Entity Framework's functions and our settings, and to prepare a statement costs more
/// than a short question. On a server each use has a context and a connection from the pools, as everywhere: others want it meanwhile, and one that broke is found there.
/// </remarks>
internal sealed class StoreSession(IDbContextFactory<NotifyDbContext> store) : IAsyncDisposable
{
    private NotifyDbContext? _kept;

    /// <summary>Does this with the store; not while another use is under way.</summary>
    public async Task<T> UseAsync<T>(Func<NotifyDbContext, Task<T>> use)
    {
        var db = _kept;
        if (db is null)
        {
            db = await store.CreateDbContextAsync();
            if (db is not SqliteNotifyDbContext)
            {
                await using (db)
                {
                    return await use(db);
                }
            }
        }

        _kept = null;
        try
        {
            if (db.Database.GetDbConnection().State != ConnectionState.Open)
            {
                await db.Database.OpenConnectionAsync();
            }

            var result = await use(db);
            _kept = db;
            return result;
        }
        finally
        {
            // One that failed is in whatever state it is.
            if (_kept is null)
            {
                await CloseAsync(db);
            }
        }
    }

    /// <summary>Closes what stayed open.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _kept, null) is { } db)
        {
            await CloseAsync(db);
        }
    }

    // Entity Framework counts who has a connection open, and a pool does not set that back.
    private static async Task CloseAsync(NotifyDbContext db)
    {
        await using (db)
        {
            await db.Database.CloseConnectionAsync();
        }
    }
}
