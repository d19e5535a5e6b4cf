using System.Threading.Channels;
using Microsoft.EntityFrameworkCore;
using Notify.Store;

namespace Notify.Sending;

/// <summary>
/// Writes rows of <see cref="WaitingPush"/> for many callers in one transaction: while one is under way the next ones gather. Each caller is answered
/// when its row is committed. When a push service is down, rows come by the thousand, and a transaction each would make them queue for the
/// database.
/// </summary>
internal sealed class WaitingPushWriter : IAsyncDisposable
{
    private const int MostAtOnce = 256;

    private readonly Channel<Write> _writes = Channel.CreateUnbounded<Write>(new UnboundedChannelOptions { SingleReader = true });
    private readonly IDbContextFactory<NotifyDbContext> _store;
    private readonly TimeProvider _time;
    private readonly Task _writing;

    public WaitingPushWriter(IDbContextFactory<NotifyDbContext> store, TimeProvider time)
    {
        (_store, _time) = (store, time);
        _writing = Task.Run(WriteAllAsync);
    }

    public Task AddAsync(WaitingPush row) => EnqueueAsync(db =>
    {
        db.WaitingPushes.Add(row);
        return db.SaveChangesAsync();
    });

    public Task HoldAsync(Guid subscriptionId, long position, int attempts, DateTimeOffset nextAttemptAt) => EnqueueAsync(db =>
        db.WaitingPushes
            .Where(row => row.SubscriptionId == subscriptionId && row.Position == position)
            .ExecuteUpdateAsync(set => set.SetProperty(row => row.Attempts, attempts).SetProperty(row => row.NextAttemptAt, nextAttemptAt)));

    public Task DeleteAsync(Guid subscriptionId, long position) => EnqueueAsync(db =>
        db.WaitingPushes.Where(row => row.SubscriptionId == subscriptionId && row.Position == position).ExecuteDeleteAsync());

    public Task DeleteLineAsync(Guid subscriptionId) => EnqueueAsync(db =>
        db.WaitingPushes.Where(row => row.SubscriptionId == subscriptionId).ExecuteDeleteAsync());

    public async ValueTask DisposeAsync()
    {
        _writes.Writer.TryComplete();
        await _writing;
    }

    private Task EnqueueAsync(Func<NotifyDbContext, Task> work)
    {
        var write = new Write(work);
        return _writes.Writer.TryWrite(write) ? write.Done.Task : Task.FromException(new ObjectDisposedException(nameof(WaitingPushWriter)));
    }

    private async Task WriteAllAsync()
    {
        var batch = new List<Write>(MostAtOnce);
        while (await _writes.Reader.WaitToReadAsync())
        {
            while (batch.Count < MostAtOnce && _writes.Reader.TryRead(out var write))
            {
                batch.Add(write);
            }

            if (await FailureOfAsync(batch, patiently: true) is null)
            {
                batch.ForEach(write => write.Done.SetResult());
            }
            else
            {
                // One at a time, so that only the one at fault fails.
                foreach (var write in batch)
                {
                    if (await FailureOfAsync([write], patiently: false) is { } failure)
                    {
                        write.Done.SetException(failure);
                    }
                    else
                    {
                        write.Done.SetResult();
                    }
                }
            }

            batch.Clear();
        }
    }

    private async Task<WaitingLineException?> FailureOfAsync(List<Write> batch, bool patiently)
    {
        try
        {
            await (patiently ? WaitingLineException.PatientlyAsync(_time, () => WriteAsync(batch)) : WriteAsync(batch));
            return null;
        }
        catch (Exception exception)
        {
            return exception as WaitingLineException ?? new WaitingLineException(exception);
        }
    }

    private async Task<bool> WriteAsync(List<Write> batch)
    {
        await using var db = await _store.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        foreach (var write in batch)
        {
            await write.Work(db);
        }

        await transaction.CommitAsync();
        return true;
    }

    private sealed record Write(Func<NotifyDbContext, Task> Work)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
