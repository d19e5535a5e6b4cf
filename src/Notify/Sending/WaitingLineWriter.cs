using System.Threading.Channels;
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

    private readonly Channel<Write> _writes = Channel.CreateUnbounded<Write>(new UnboundedChannelOptions { SingleReader = true });
    private readonly IDbContextFactory<NotifyDbContext> _store;
    private readonly TimeProvider _time;
    private readonly Task _writing;

    public WaitingLineWriter(IDbContextFactory<NotifyDbContext> store, TimeProvider time)
    {
        (_store, _time) = (store, time);
        _writing = Task.Run(WriteAllAsync);
    }

    /// <summary>Writes; the work may be done again where the transaction it was in failed.</summary>
    /// <exception cref="WaitingLineException">The store was away for too long, or the work is at fault.</exception>
    public Task WriteAsync(Func<NotifyDbContext, Task> work)
    {
        var write = new Write(work);
        return _writes.Writer.TryWrite(write) ? write.Done.Task : Task.FromException(new ObjectDisposedException(nameof(WaitingLineWriter)));
    }

    public async ValueTask DisposeAsync()
    {
        _writes.Writer.TryComplete();
        await _writing;
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
            await (patiently ? WaitingLineException.PatientlyAsync(_time, () => CommitAsync(batch)) : CommitAsync(batch));
            return null;
        }
        catch (Exception exception)
        {
            return exception as WaitingLineException ?? new WaitingLineException(exception);
        }
    }

    private async Task<bool> CommitAsync(List<Write> batch)
    {
        await using var db = await _store.CreateDbContextAsync();
        await using var transaction = await db.Database.BeginTransactionAsync();
        foreach (var write in batch)
        {
            await write.Work(db);
            db.ChangeTracker.Clear();
        }

        await transaction.CommitAsync();
        return true;
    }

    private sealed record Write(Func<NotifyDbContext, Task> Work)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
