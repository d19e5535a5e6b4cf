using System.Linq.Expressions;
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

    // What was written within so long is deleted by one statement: all that may have piled up would run into the command's timeout, be rolled back and be more the next time, and hold up
    // whoever writes meanwhile.
    private static readonly TimeSpan Slice = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(FirstAfter, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            timer.Period = Interval;
            await SweepAsync(stoppingToken);
        }
    }

    internal async Task SweepAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var (forgetBefore, dropBefore) = (now - fanout.Value.DuplicateWindow, now - log.Value.KeepFor);

        // When a message was posted is told with its deliveries, as long as there are any.
        var forgetMessagesBefore = log.Value.Enabled && dropBefore < forgetBefore ? dropBefore : forgetBefore;
        await DeleteAsync((db, from, to) => db.FannedOutParts.Where(part => part.FannedOutAt >= from && part.FannedOutAt < to && part.Count != 0), part => part.FannedOutAt, forgetBefore, cancellationToken);
        await DeleteAsync((db, from, to) => db.FannedOutParts.Where(part => part.FannedOutAt >= from && part.FannedOutAt < to && part.Count == 0), part => part.FannedOutAt, forgetMessagesBefore, cancellationToken);
        await DeleteAsync((db, from, to) => db.Deliveries.Where(delivery => delivery.UpdatedAt >= from && delivery.UpdatedAt < to), delivery => delivery.UpdatedAt, dropBefore, cancellationToken);
        await DeleteAsync((db, from, to) => db.DeliveryAttempts.Where(attempt => attempt.At >= from && attempt.At < to), attempt => attempt.At, dropBefore, cancellationToken);
        await DeleteAsync((db, from, to) => db.Receipts.Where(receipt => receipt.At >= from && receipt.At < to), receipt => receipt.At, dropBefore, cancellationToken);
    }

    private async Task DeleteAsync<T>(
        Func<NotifyDbContext, DateTimeOffset, DateTimeOffset, IQueryable<T>> between, Expression<Func<T, DateTimeOffset?>> at, DateTimeOffset before, CancellationToken cancellationToken)
    {
        try
        {
            await using var db = await store.CreateDbContextAsync(cancellationToken);
            var deleted = DateTimeOffset.UnixEpoch;
            while (await between(db, deleted, before).MinAsync(at, cancellationToken) is { } oldest)
            {
                deleted = oldest + Slice < before ? oldest + Slice : before;
                await between(db, oldest, deleted).ExecuteDeleteAsync(cancellationToken);
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // What one table does not bear, the others may.
            LogSweepFailed(exception, typeof(T).Name);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Housekeeping of rows of {Kind} failed; it is tried again in ten minutes")]
    private partial void LogSweepFailed(Exception exception, string kind);
}
