using Microsoft.EntityFrameworkCore;
using Notify.Contracts;
using Notify.Store;

namespace Notify.Sending;

/// <summary>
/// Writes to the waiting lines for many callers in one transaction, and in a few round trips to the database: while one is under way the next ones gather. Each caller is answered
/// when its rows are committed. When a push service is down, rows come by the thousand, and would otherwise queue for the database, and in their lanes the pushes to others behind them.
/// </summary>
internal sealed class WaitingLineWriter : IAsyncDisposable
{
    private const int MostAtOnce = 256;

    private readonly IDbContextFactory<NotifyDbContext> _store;
    private readonly StoreOutage _outage;
    private readonly Gathering<Write> _writes;

    public WaitingLineWriter(IDbContextFactory<NotifyDbContext> store, StoreOutage outage)
    {
        (_store, _outage) = (store, outage);
        _writes = new Gathering<Write>(MostAtOnce, WriteAsync);
    }

    /// <summary>Writes to one subscription's line.</summary>
    /// <param name="subscriptionId">The line's.</param>
    /// <param name="push">The push that <paramref name="change"/> asks about; null if it asks about none.</param>
    /// <param name="change">What to write; it is done again where the transaction it was in failed.</param>
    /// <param name="isCalledOff">It is not begun once this is so, and not again.</param>
    /// <exception cref="WaitingLineException">The work is at fault, or the process ends while the store is away.</exception>
    /// <exception cref="OperationCanceledException">It was called off before.</exception>
    public Task WriteAsync(Guid subscriptionId, SendPush? push, Action<LinesAtHand> change, CancellationToken isCalledOff)
    {
        var write = new Write(subscriptionId, push is null ? null : PushKey.Of(push), change, isCalledOff);
        _writes.Add(write);
        return write.Done.Task;
    }

    public ValueTask DisposeAsync() => _writes.DisposeAsync();

    private async Task WriteAsync(IReadOnlyList<Write> writes)
    {
        // A second one of a line, by a worker that was cut off from the bus, must see what the first has written.
        foreach (var batch in writes.GroupBy(write => write.SubscriptionId).SelectMany(line => line.Index()).GroupBy(each => each.Index, each => each.Item).OrderBy(batch => batch.Key))
        {
            await WriteBatchAsync([.. batch]);
        }
    }

    private async Task WriteBatchAsync(IReadOnlyList<Write> batch)
    {
        var failure = await FailureOfAsync(batch, insistently: true);
        if (failure is not null && batch.Count > 1 && await IsThereAsync())
        {
            // One at a time, so that only the one at fault fails.
            foreach (var write in batch)
            {
                Tell(write, await FailureOfAsync([write], insistently: false));
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

    private async Task<WaitingLineException?> FailureOfAsync(IReadOnlyList<Write> batch, bool insistently)
    {
        try
        {
            await (insistently ? WaitingLineException.InsistAsync(_outage, () => CommitAsync(batch)) : CommitAsync(batch));
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
                var lines = await LinesAtHand.ReadAsync(db, [.. batch.Select(write => write.SubscriptionId)], [.. batch.Select(write => write.Push).OfType<PushKey>()]);
                foreach (var write in batch)
                {
                    write.WasCalledOff = write.IsCalledOff.IsCancellationRequested;
                    if (!write.WasCalledOff)
                    {
                        write.Change(lines);
                    }
                }

                await lines.WriteAsync();
                return true;
            },
            CancellationToken.None);
    }

    private sealed record Write(Guid SubscriptionId, PushKey? Push, Action<LinesAtHand> Change, CancellationToken IsCalledOff)
    {
        public bool WasCalledOff { get; set; }

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
