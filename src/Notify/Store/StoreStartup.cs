using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Notify.Sending;
using Notify.Store.Encryption;

namespace Notify.Store;

/// <summary>Before the bus starts: sees to it that the database is at the current schema and its secrets can be read, and loads the VAPID keys.</summary>
internal sealed class StoreStartup(IDbContextFactory<NotifyDbContext> store, EncryptionKeys encryptionKeys, VapidKeyRing keys, IHostEnvironment environment) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using (var db = await store.CreateDbContextAsync(cancellationToken))
        {
            // Only where there is something to do: migrating takes a lock.
            if ((await db.Database.GetPendingMigrationsAsync(cancellationToken)).ToList() is { Count: > 0 } pending)
            {
                // A file that was not there before is nobody's to look after; one that another program has written to is.
                var isNewFile = db is SqliteNotifyDbContext sqlite && await sqlite.IsEmptyAsync(cancellationToken);
                if (!environment.IsDevelopment() && !isNewFile)
                {
                    throw new InvalidOperationException(
                        $"The database is not at the current schema: {string.Join(", ", pending)} must be applied first. Run the service's 'migrate' command with the same settings; 'migrate --script' prints the SQL for those who apply it by hand.");
                }

                await MigrateAsync(db, cancellationToken);
            }
        }

        await encryptionKeys.CheckAsync(cancellationToken);
        await keys.LoadAsync(cancellationToken);
    }

    /// <summary>Brings the database to the current schema, also where others do so at the same time.</summary>
    /// <remarks>On PostgreSQL EF Core's lock ends with each migration's transaction: another process may make the next one, and then this one's try at it fails.</remarks>
    internal static async Task MigrateAsync(NotifyDbContext db, CancellationToken cancellationToken)
    {
        // An index on a table that has grown large takes as long as it takes.
        db.Database.SetCommandTimeout(0);
        await using var turn = db is SqliteNotifyDbContext sqlite ? await sqlite.TakeMigrationTurnAsync(cancellationToken) : null;
        var pending = int.MaxValue;
        while (true)
        {
            try
            {
                await db.Database.MigrateAsync(cancellationToken);
                return;
            }
            catch (DbException)
            {
                var (before, left) = (pending, (await db.Database.GetPendingMigrationsAsync(cancellationToken)).Count());
                pending = left;
                if (left >= before)
                {
                    throw;
                }
            }
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
