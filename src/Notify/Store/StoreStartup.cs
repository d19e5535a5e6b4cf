using Microsoft.EntityFrameworkCore;
using Notify.Sending;

namespace Notify.Store;

/// <summary>Before the bus starts: brings the database to the current schema and loads the VAPID keys.</summary>
internal sealed class StoreStartup(IDbContextFactory<NotifyDbContext> store, VapidKeyRing keys) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using (var db = await store.CreateDbContextAsync(cancellationToken))
        {
            // Only where there is something to do: migrating takes a lock, and one left behind by a killed process would hold up every start.
            if ((await db.Database.GetPendingMigrationsAsync(cancellationToken)).Any())
            {
                await db.Database.MigrateAsync(cancellationToken);
            }
        }

        await keys.LoadAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
