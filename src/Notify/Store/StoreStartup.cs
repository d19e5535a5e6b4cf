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
            await db.Database.MigrateAsync(cancellationToken);
        }

        await keys.LoadAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
