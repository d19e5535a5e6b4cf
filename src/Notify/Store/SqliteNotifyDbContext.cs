using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Notify.Deliveries;

namespace Notify.Store;

/// <summary>The store on SQLite.</summary>
public sealed class SqliteNotifyDbContext(DbContextOptions<SqliteNotifyDbContext> options) : NotifyDbContext(options)
{
    /// <inheritdoc />
    /// <remarks>A transaction has the file's only write lock from its first moment on.</remarks>
    public override Task LockAsync(string name, CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc />
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        // SQLite has no type for a point in time: ticks of UTC compare and sort as they should.
        configurationBuilder.Properties<DateTimeOffset>().HaveConversion<UtcTicksConverter>();
    }

    private protected override Task WriteAsync(IReadOnlyList<Delivery> deliveries, IReadOnlyList<(Guid Id, DateTimeOffset At)> accepted, CancellationToken cancellationToken)
    {
        // A short transaction of a local file: done on this thread, as the provider would do anyway.
        using var write = Command(
            """
            INSERT INTO "Deliveries" ("MessageId", "SubscriptionId", "UserId", "State", "Attempts", "Status", "Reason", "NextAttemptAt", "UpdatedAt")
            VALUES ($messageId, $subscriptionId, $userId, $state, $attempts, $status, $reason, $nextAttemptAt, $updatedAt)
            ON CONFLICT ("MessageId", "SubscriptionId") DO UPDATE SET
                "State" = excluded."State", "Attempts" = excluded."Attempts", "Status" = excluded."Status", "Reason" = excluded."Reason",
                "NextAttemptAt" = excluded."NextAttemptAt", "UpdatedAt" = excluded."UpdatedAt"
            WHERE ("Deliveries"."State" = 'Failed' AND excluded."State" = 'Accepted')
                OR ("Deliveries"."State" = 'Retrying' AND (excluded."State" <> 'Retrying' OR excluded."Attempts" >= "Deliveries"."Attempts"))
            """,
            "$messageId", "$subscriptionId", "$userId", "$state", "$attempts", "$status", "$reason", "$nextAttemptAt", "$updatedAt");
        foreach (var delivery in deliveries)
        {
            Execute(
                write, delivery.MessageId, delivery.SubscriptionId, delivery.UserId, delivery.State.ToString(), delivery.Attempts, delivery.Status, delivery.Reason,
                delivery.NextAttemptAt?.UtcTicks, delivery.UpdatedAt.UtcTicks);
        }

        using var note = Command(
            """UPDATE "Subscriptions" SET "LastAcceptedAt" = $at WHERE "Id" = $id AND ("LastAcceptedAt" IS NULL OR "LastAcceptedAt" < $before)""",
            "$at", "$before", "$id");
        foreach (var (id, at) in accepted)
        {
            Execute(note, at.UtcTicks, (at - AcceptanceNotedEvery).UtcTicks, id);
        }

        return Task.CompletedTask;
    }

    private SqliteCommand Command(string text, params string[] parameters)
    {
        var command = (SqliteCommand)Database.GetDbConnection().CreateCommand();
        (command.CommandText, command.Transaction) = (text, (SqliteTransaction)Database.CurrentTransaction!.GetDbTransaction());
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new SqliteParameter { ParameterName = parameter });
        }

        return command;
    }

    private static void Execute(DbCommand command, params object?[] values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            // EF Core keeps a Guid as upper-case text.
            command.Parameters[i].Value = values[i] switch { null => DBNull.Value, Guid id => id.ToString().ToUpperInvariant(), var value => value };
        }

        command.ExecuteNonQuery();
    }

    private sealed class UtcTicksConverter()
        : ValueConverter<DateTimeOffset, long>(value => value.UtcTicks, ticks => new DateTimeOffset(ticks, TimeSpan.Zero));
}
