using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Notify.Messaging.Outbox;

/// <summary>Of several processes that deliver from one outbox, lets one at a time, so that messages leave in the order in which they were written.</summary>
public abstract class DeliveryTurns
{
    /// <summary>Waits for this process's turn.</summary>
    /// <param name="db">The database.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The turn; null if there is nothing to deliver.</returns>
    internal abstract Task<IDeliveryTurn?> TakeAsync(DbContext db, CancellationToken cancellationToken);

    private protected static Task<bool> IsAnythingLeftAsync(DbContext db, CancellationToken cancellationToken) =>
        db.Set<OutboxMessage>().AnyAsync(cancellationToken);
}

/// <summary>A turn, until it is disposed of.</summary>
internal interface IDeliveryTurn : IAsyncDisposable
{
    /// <summary>Commits what was done in it.</summary>
    Task CompleteAsync();
}

/// <summary>A DbContext whose database has locks with names.</summary>
public interface INamedLocks
{
    /// <summary>Waits until no other transaction has locked this name, and keeps it locked until the end of the transaction.</summary>
    /// <param name="name">What to lock; it need not be in the database.</param>
    /// <param name="cancellationToken">Gives up.</param>
    Task LockAsync(string name, CancellationToken cancellationToken);
}

/// <summary>A turn is a lock of the database, held by a transaction: a process that dies lets go of it.</summary>
/// <remarks>Rows that are skipped because others have locked them, as MassTransit.EntityFrameworkCore does it, would let later messages overtake earlier ones.</remarks>
internal sealed class NamedLockTurns : DeliveryTurns
{
    private const string Name = "outbox";

    internal override async Task<IDeliveryTurn?> TakeAsync(DbContext db, CancellationToken cancellationToken)
    {
        // Most of the time there is nothing, and those who look need not wait for each other.
        if (!await IsAnythingLeftAsync(db, cancellationToken))
        {
            return null;
        }

        var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        try
        {
            await ((INamedLocks)db).LockAsync(Name, cancellationToken);
            return new Turn(transaction);
        }
        catch
        {
            await transaction.DisposeAsync();
            throw;
        }
    }

    private sealed class Turn(IDbContextTransaction transaction) : IDeliveryTurn
    {
        public Task CompleteAsync() => transaction.CommitAsync(CancellationToken.None);

        public ValueTask DisposeAsync() => transaction.DisposeAsync();
    }
}

/// <summary>
/// A turn is a locked file beside the database's. A database of a single writer must not be kept locked while a broker is slow.
/// </summary>
internal sealed class FileLockTurns : DeliveryTurns
{
    private const string Suffix = "-outbox";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    internal override async Task<IDeliveryTurn?> TakeAsync(DbContext db, CancellationToken cancellationToken)
    {
        if (!await IsAnythingLeftAsync(db, cancellationToken))
        {
            return null;
        }

        // Open, it knows its file's whole path; a database in memory has none, and no other process.
        await db.Database.OpenConnectionAsync(cancellationToken);
        try
        {
            return new Turn(db, db.Database.GetDbConnection().DataSource is { Length: > 0 } path && File.Exists(path) ? await OpenAsync(path + Suffix, cancellationToken) : null);
        }
        catch
        {
            await db.Database.CloseConnectionAsync();
            throw;
        }
    }

    private static async Task<FileStream> OpenAsync(string path, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Pause);
        var started = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (Stopwatch.GetElapsedTime(started) < Patience)
            {
                // It is another's turn; a file's lock can only be asked for again.
                await timer.WaitForNextTickAsync(cancellationToken);
            }
        }
    }

    private sealed class Turn(DbContext db, FileStream? file) : IDeliveryTurn
    {
        public Task CompleteAsync() => Task.CompletedTask;

        public async ValueTask DisposeAsync()
        {
            if (file is not null)
            {
                await file.DisposeAsync();
            }

            await db.Database.CloseConnectionAsync();
        }
    }
}
