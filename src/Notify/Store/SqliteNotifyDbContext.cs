using System.Data;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Sending;

namespace Notify.Store;

/// <summary>The store on SQLite.</summary>
public sealed class SqliteNotifyDbContext(DbContextOptions<SqliteNotifyDbContext> options) : NotifyDbContext(options)
{
    private readonly Dictionary<string, SqliteCommand> _commands = new(StringComparer.Ordinal);

    /// <inheritdoc />
    /// <remarks>A transaction has the file's only write lock from its first moment on.</remarks>
    public override Task LockAsync(string name, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Waits until no other process migrates this database; disposing of the turn lets the next one do so.</summary>
    /// <remarks>EF Core's own lock is a row, for which it waits for ever, and which a process that is killed meanwhile leaves behind; a locked file it does not. So whoever has that may
    /// take the row away.</remarks>
    /// <param name="cancellationToken">Gives up.</param>
    internal async Task<IAsyncDisposable> TakeMigrationTurnAsync(CancellationToken cancellationToken)
    {
        CreateFile();

        // Open, it knows its file's whole path.
        await Database.OpenConnectionAsync(cancellationToken);
        try
        {
            var turn = await OpenAloneAsync($"{Database.GetDbConnection().DataSource}-migration", cancellationToken);
            try
            {
                await Database.ExecuteSqlRawAsync("""DROP TABLE IF EXISTS "__EFMigrationsLock" """, cancellationToken);
                return turn;
            }
            catch
            {
                await turn.DisposeAsync();
                throw;
            }
        }
        finally
        {
            await Database.CloseConnectionAsync();
        }
    }

    /// <summary>Whether there is nothing in it but what Entity Framework keeps for itself, as in a file that is not there yet.</summary>
    internal async Task<bool> IsEmptyAsync(CancellationToken cancellationToken)
    {
        CreateFile();
        return !await Database.SqlQueryRaw<string>("""SELECT "name" AS "Value" FROM "sqlite_master" WHERE "type" = 'table' AND substr("name", 1, 4) <> '__EF'""").AnyAsync(cancellationToken);
    }

    // For its owner alone: it holds endpoints and keys. What SQLite puts beside it is as open as it is.
    private void CreateFile()
    {
        var connection = new SqliteConnectionStringBuilder(Database.GetConnectionString());
        var path = connection.DataSource;
        if (OperatingSystem.IsWindows() || connection.Mode != SqliteOpenMode.ReadWriteCreate || StoreSetup.IsInMemory(connection)
            || path.StartsWith("file:", StringComparison.OrdinalIgnoreCase) || path.StartsWith('|') || File.Exists(path) || !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path))))
        {
            return;
        }

        new FileStream(path, new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }).Dispose();
    }

    private static async Task<FileStream> OpenAloneAsync(string path, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        for (var failures = 0; ; failures = File.Exists(path) ? 0 : failures + 1)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
            }
            catch (IOException) when (failures < 3)
            {
                // It is another's turn, or was until a moment ago; a file's lock can only be asked for again.
                await timer.WaitForNextTickAsync(cancellationToken);
            }
        }
    }

    // SQLite would look at every row, and for each at all the keys.
    internal override async Task DeleteWaitingAsync(IReadOnlyCollection<PushKey> pushes)
    {
        await Database.OpenConnectionAsync();
        try
        {
            var delete = Command("""DELETE FROM "WaitingPushes" WHERE "SubscriptionId" = $subscriptionId AND "MessageId" = $messageId""", "$subscriptionId", "$messageId");
            foreach (var push in pushes)
            {
                Bind(delete, push.SubscriptionId, push.MessageId).ExecuteNonQuery();
            }
        }
        finally
        {
            await Database.CloseConnectionAsync();
        }
    }

    internal override IQueryable<PushKey> RowsOf(IReadOnlyCollection<PushKey> pushes) => Database.SqlQueryRaw<PushKey>(
        """SELECT "value" ->> 0 AS "SubscriptionId", "value" ->> 1 AS "MessageId", "value" ->> 2 AS "Topic" FROM json_each({0})""",
        JsonSerializer.Serialize(pushes.Select(push => new[] { TextOf(push.SubscriptionId), TextOf(push.MessageId), push.Topic })));

    /// <inheritdoc />
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        // SQLite has no type for a point in time: ticks of UTC compare and sort as they should.
        configurationBuilder.Properties<DateTimeOffset>().HaveConversion<UtcTicksConverter>();
    }

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);

        // By user each row would go into a page of its own, to be read, written to the log and written back: more than all else that the delivery log costs. A user's last deliveries are
        // found by reading this index from its end instead.
        modelBuilder.Entity<Delivery>(row =>
        {
            row.Metadata.RemoveIndex([row.Property(delivery => delivery.UpdatedAt).Metadata]);
            row.Metadata.RemoveIndex([row.Property(delivery => delivery.UserId).Metadata, row.Property(delivery => delivery.UpdatedAt).Metadata]);
            row.HasIndex(delivery => new { delivery.UpdatedAt, delivery.UserId });
        });
    }

    internal override async Task<Dictionary<Guid, SubscriptionState>> FindSubscriptionStatesAsync(IReadOnlyCollection<Guid> ids)
    {
        await Database.OpenConnectionAsync();
        try
        {
            // One that only reads, so that it waits for no writer; of Entity Framework's own each waits for the write lock.
            await using var reading = ((SqliteConnection)Database.GetDbConnection()).BeginTransaction(deferred: true);
            await using var transaction = await Database.UseTransactionAsync(reading);
            var find = Command(
                """
                SELECT "UserId", "Revision", "LastAcceptedAt", EXISTS (SELECT 1 FROM "WaitingLines" WHERE "SubscriptionId" = $id)
                FROM (SELECT 1) LEFT JOIN "Subscriptions" ON "Id" = $id
                """, "$id");
            var (stamps, waiting) = (new Dictionary<Guid, SubscriptionStamp?>(ids.Count), new List<Guid>());
            foreach (var id in ids)
            {
                using var row = Bind(find, id).ExecuteReader();
                row.Read();
                stamps.Add(id, row.IsDBNull(0) ? null : new(row.GetString(0), row.GetInt32(1), row.IsDBNull(2) ? null : new DateTimeOffset(row.GetInt64(2), TimeSpan.Zero)));
                if (row.GetBoolean(3))
                {
                    waiting.Add(id);
                }
            }

            var lines = waiting.Count == 0 ? [] : await WaitingLines.AsNoTracking().Where(line => waiting.Contains(line.SubscriptionId)).ToDictionaryAsync(line => line.SubscriptionId);
            return stamps.ToDictionary(stamp => stamp.Key, stamp => new SubscriptionState(stamp.Value, lines.GetValueOrDefault(stamp.Key)));
        }
        finally
        {
            await Database.CloseConnectionAsync();
        }
    }

    internal override async Task<IReadOnlySet<(Guid MessageId, int Offset, int Count)>> FindFannedOutPartsAsync(IReadOnlyCollection<FannedOutPart> parts)
    {
        await Database.OpenConnectionAsync();
        try
        {
            var find = Command("""SELECT EXISTS (SELECT 1 FROM "FannedOutParts" WHERE "MessageId" = $messageId AND "Offset" = $offset AND "Count" = $count)""", "$messageId", "$offset", "$count");
            return parts.Select(part => (part.MessageId, part.Offset, part.Count)).Where(key => Bind(find, key.MessageId, key.Offset, key.Count).ExecuteScalar() is 1L).ToHashSet();
        }
        finally
        {
            await Database.CloseConnectionAsync();
        }
    }

    internal override Task<int> AddFannedOutPartsAsync(IReadOnlyCollection<FannedOutPart> parts) => InTransactionAsync(
        () =>
        {
            var add = Command(
                """INSERT INTO "FannedOutParts" ("MessageId", "Offset", "Count", "FannedOutAt", "PublishedAt") VALUES ($messageId, $offset, $count, $fannedOutAt, $publishedAt)""",
                "$messageId", "$offset", "$count", "$fannedOutAt", "$publishedAt");
            foreach (var part in parts)
            {
                try
                {
                    Bind(add, part.MessageId, part.Offset, part.Count, part.FannedOutAt.UtcTicks, part.PublishedAt?.UtcTicks).ExecuteNonQuery();
                }
                catch (SqliteException exception)
                {
                    throw new DbUpdateException("A part that was fanned out could not be added.", exception);
                }
            }

            return Task.FromResult(parts.Count);
        },
        CancellationToken.None);

    private protected override Task WriteAsync(IReadOnlyList<Delivery> deliveries, IReadOnlyList<(Guid Id, DateTimeOffset At)> accepted, CancellationToken cancellationToken)
    {
        // A short transaction of a local file: done on this thread, as the provider would do anyway.
        var write = Command(
            """
            INSERT INTO "Deliveries" ("MessageId", "SubscriptionId", "UserId", "State", "Attempts", "Status", "Reason", "NextAttemptAt", "UpdatedAt")
            VALUES ($messageId, $subscriptionId, $userId, $state, $attempts, $status, $reason, $nextAttemptAt, $updatedAt)
            ON CONFLICT ("MessageId", "SubscriptionId") DO UPDATE SET
                "State" = excluded."State", "Attempts" = excluded."Attempts", "Status" = excluded."Status", "Reason" = excluded."Reason",
                "NextAttemptAt" = excluded."NextAttemptAt", "UpdatedAt" = excluded."UpdatedAt"
            WHERE ("Deliveries"."State" = 'Failed' AND (excluded."State" = 'Accepted' OR excluded."UpdatedAt" > "Deliveries"."UpdatedAt"))
                OR ("Deliveries"."State" = 'Retrying' AND (excluded."State" <> 'Retrying' OR excluded."Attempts" >= "Deliveries"."Attempts"))
            """,
            "$messageId", "$subscriptionId", "$userId", "$state", "$attempts", "$status", "$reason", "$nextAttemptAt", "$updatedAt");
        foreach (var delivery in deliveries)
        {
            Bind(
                write, delivery.MessageId, delivery.SubscriptionId, delivery.UserId, delivery.State.ToString(), delivery.Attempts, delivery.Status, delivery.Reason,
                delivery.NextAttemptAt?.UtcTicks, delivery.UpdatedAt.UtcTicks).ExecuteNonQuery();
        }

        var note = Command(
            """UPDATE "Subscriptions" SET "LastAcceptedAt" = $at WHERE "Id" = $id AND ("LastAcceptedAt" IS NULL OR "LastAcceptedAt" < $before)""",
            "$at", "$before", "$id");
        foreach (var (id, at) in accepted)
        {
            Bind(note, at.UtcTicks, (at - AcceptanceNotedEvery).UtcTicks, id).ExecuteNonQuery();
        }

        return Task.CompletedTask;
    }

    // Of a statement Entity Framework would make a new command each time, which costs more than to execute it. These stay prepared for as long as the connection is open.
    private SqliteCommand Command(string text, params ReadOnlySpan<string> parameters)
    {
        var connection = (SqliteConnection)Database.GetDbConnection();
        if (!_commands.TryGetValue(text, out var command))
        {
            command = connection.CreateCommand();
            command.CommandText = text;
            foreach (var parameter in parameters)
            {
                command.Parameters.Add(new SqliteParameter { ParameterName = parameter });
            }

            if (_commands.Count == 0)
            {
                connection.StateChange += Forget;
            }

            _commands.Add(text, command);
        }

        command.Transaction = (SqliteTransaction?)Database.CurrentTransaction?.GetDbTransaction();
        return command;
    }

    // The connection has disposed of its commands. When it opens again, it may be to another handle of SQLite, where what they had prepared holds up everybody.
    private void Forget(object? connection, StateChangeEventArgs change)
    {
        if (change.CurrentState == ConnectionState.Closed)
        {
            ((SqliteConnection)connection!).StateChange -= Forget;
            _commands.Clear();
        }
    }

    private static SqliteCommand Bind(SqliteCommand command, params ReadOnlySpan<object?> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i] switch { null => DBNull.Value, Guid id => TextOf(id), var value => value };
        }

        return command;
    }

    // As EF Core keeps it.
    private static string TextOf(Guid id) => id.ToString().ToUpperInvariant();

    private sealed class UtcTicksConverter()
        : ValueConverter<DateTimeOffset, long>(value => value.UtcTicks, ticks => new DateTimeOffset(ticks, TimeSpan.Zero));
}
