using Microsoft.Extensions.Options;
using Notify.Store;
using Notify.Telemetry;

namespace Notify.Deliveries;

/// <summary>Writes down what became of pushes: in the delivery log, where one is kept, and acceptances on their subscriptions.</summary>
public sealed class DeliveryLog(NotifyMetrics metrics, IOptions<DeliveryLogOptions> options, TimeProvider time)
{
    /// <summary>Writes down many at once, in one transaction.</summary>
    /// <param name="db">The store.</param>
    /// <param name="outcomes">One or more.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task WriteAsync(NotifyDbContext db, IReadOnlyCollection<Delivery> outcomes, CancellationToken cancellationToken) => WriteAsync(db, outcomes, outcomes, cancellationToken);

    /// <summary>Writes down many at once, in one transaction.</summary>
    /// <param name="db">The store.</param>
    /// <param name="outcomes">One or more.</param>
    /// <param name="news">Those of them that may be news to their subscriptions.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task WriteAsync(NotifyDbContext db, IReadOnlyCollection<Delivery> outcomes, IReadOnlyCollection<Delivery> news, CancellationToken cancellationToken)
    {
        await db.WriteOutcomesAsync(options.Value.Enabled ? outcomes : [], news, cancellationToken);
        if (options.Value.Enabled)
        {
            metrics.Written(time.GetUtcNow() - outcomes.Min(outcome => outcome.UpdatedAt));
        }
    }
}
