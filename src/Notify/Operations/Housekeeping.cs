using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Store;

namespace Notify.Operations;

/// <summary>Deletes what is past its time: parts of messages beyond the duplicate window, and old deliveries, attempts and receipts.</summary>
internal sealed partial class Housekeeping(
    IDbContextFactory<NotifyDbContext> store, IOptions<FanoutOptions> fanout, IOptions<DeliveryLogOptions> log, TimeProvider time, ILogger<Housekeeping> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(10);

    // Not at once: a start needs the processor for what others wait for.
    private static readonly TimeSpan FirstAfter = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(FirstAfter, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            timer.Period = Interval;
            try
            {
                await SweepAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                LogSweepFailed(exception);
            }
        }
    }

    internal async Task SweepAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var (forgetBefore, dropBefore) = (now - fanout.Value.DuplicateWindow, now - log.Value.KeepFor);

        // When a message was posted is told with its deliveries, as long as there are any.
        var forgetMessagesBefore = log.Value.Enabled && dropBefore < forgetBefore ? dropBefore : forgetBefore;
        await using var db = await store.CreateDbContextAsync(cancellationToken);
        await db.FannedOutParts.Where(part => part.FannedOutAt < forgetBefore && part.Count != 0).ExecuteDeleteAsync(cancellationToken);
        await db.FannedOutParts.Where(part => part.FannedOutAt < forgetMessagesBefore && part.Count == 0).ExecuteDeleteAsync(cancellationToken);
        await db.Deliveries.Where(delivery => delivery.UpdatedAt < dropBefore).ExecuteDeleteAsync(cancellationToken);
        await db.DeliveryAttempts.Where(attempt => attempt.At < dropBefore).ExecuteDeleteAsync(cancellationToken);
        await db.Receipts.Where(receipt => receipt.At < dropBefore).ExecuteDeleteAsync(cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning, "Housekeeping failed; it is tried again in ten minutes")]
    private partial void LogSweepFailed(Exception exception);
}
