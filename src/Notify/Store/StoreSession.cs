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
        var db = _kept ?? await store.CreateDbContextAsync();
        var isKept = _kept is not null;
        _kept = null;
        try
        {
            if (!isKept && db is SqliteNotifyDbContext)
            {
                await db.Database.OpenConnectionAsync();
                isKept = true;
            }

            return await use(db);
        }
        catch
        {
            // Whatever state it is in.
            isKept = false;
            throw;
        }
        finally
        {
            if (isKept)
            {
                db.ChangeTracker.Clear();
                _kept = db;
            }
            else
            {
                await db.DisposeAsync();
            }
        }
    }

    /// <summary>Closes what stayed open.</summary>
    public ValueTask DisposeAsync() => _kept?.DisposeAsync() ?? default;
}
