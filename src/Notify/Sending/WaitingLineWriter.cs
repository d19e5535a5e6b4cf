using Microsoft.EntityFrameworkCore;
using Notify.Store;

namespace Notify.Sending;

/// <summary>
/// Writes to the waiting lines for many callers in one transaction: while one is under way the next ones gather. Each caller is answered
/// when its rows are committed. When a push service is down, rows come by the thousand, and a transaction each would make them queue for the
/// database.
/// </summary>
internal sealed class WaitingLineWriter : IAsyncDisposable
{
    private const int MostAtOnce = 256;

    private readonly IDbContextFactory<NotifyDbContext> _store;
    private readonly TimeProvider _time;
    private readonly StoreOutage _outage;
    private readonly Gathering<Write> _writes;

    public WaitingLineWriter(IDbContextFactory<NotifyDbContext> store, TimeProvider time, StoreOutage outage)
    {
        (_store, _time, _outage) = (store, time, outage);
        _writes = new Gathering<Write>(MostAtOnce, WriteAsync);
    }

    /// <summary>Writes to one subscription's line; the work may be done again where the transaction it was in failed.</summary>
    /// <param name="subscriptionId">The line's.</param>
    /// <param name="work">What to write.</param>
    /// <param name="isCalledOff">It is not begun once this is so, and not again.</param>
    /// <exception cref="WaitingLineException">The work is at fault, or the process ends while the store is away.</exception>
    /// <exception cref="OperationCanceledException">It was called off before.</exception>
    public Task WriteAsync(Guid subscriptionId, Func<NotifyDbContext, Task> work, CancellationToken isCalledOff)
    {
        var write = new Write(subscriptionId, work, isCalledOff);
        _writes.Add(write);
        return write.Done.Task;
    }

    public ValueTask DisposeAsync() => _writes.DisposeAsync();

    private async Task WriteAsync(IReadOnlyList<Write> batch)
    {
        var failure = await FailureOfAsync(batch, patiently: true);
        if (failure is not null && batch.Count > 1 && await IsThereAsync())
        {
            // One at a time, so that only the one at fault fails.
            foreach (var write in batch)
            {
                Tell(write, await FailureOfAsync([write], patiently: false));
            }

            return;
        }

        foreach (var write in batch)
        {
            Tell(write, failure);
        }
    }

    private static void Tell(Write write, WaitingLineException? failure)
    {
        if (write.WasCalledOff)
        {
            write.Done.SetCanceled(write.IsCalledOff);
        }
        else if (failure is null)
        {
            write.Done.SetResult();
        }
        else
        {
            write.Done.SetException(failure);
        }
    }

    private async Task<bool> IsThereAsync()
    {
        await using var db = await _store.CreateDbContextAsync();
        return await db.Database.CanConnectAsync();
    }

    private async Task<WaitingLineException?> FailureOfAsync(IReadOnlyList<Write> batch, bool patiently)
    {
        try
        {
            await (patiently ? WaitingLineException.PatientlyAsync(_time, () => _outage.WaitOutAsync(() => CommitAsync(batch))) : CommitAsync(batch));
            return null;
        }
        catch (Exception exception)
        {
            return exception as WaitingLineException ?? new WaitingLineException(exception);
        }
    }

    private async Task<bool> CommitAsync(IReadOnlyList<Write> batch)
    {
        await using var db = await _store.CreateDbContextAsync();
        return await db.InTransactionAsync(
            async () =>
            {
                // A worker that was cut off from the bus may still be at a line that is this one's by now.
                await db.LockAllAsync(batch.Select(write => $"line/{write.SubscriptionId}"), CancellationToken.None);
                foreach (var write in batch)
                {
                    write.WasCalledOff = write.IsCalledOff.IsCancellationRequested;
                    if (!write.WasCalledOff)
                    {
                        await write.Work(db);
                        db.ChangeTracker.Clear();
                    }
                }

                return true;
            },
            CancellationToken.None);
    }

    private sealed record Write(Guid SubscriptionId, Func<NotifyDbContext, Task> Work, CancellationToken IsCalledOff)
    {
        public bool WasCalledOff { get; set; }

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
