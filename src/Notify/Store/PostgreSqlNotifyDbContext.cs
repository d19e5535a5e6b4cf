using Microsoft.EntityFrameworkCore;
using Notify.Deliveries;
using Notify.Sending;
using Npgsql;
using NpgsqlTypes;

namespace Notify.Store;

/// <summary>The store on PostgreSQL.</summary>
public sealed class PostgreSqlNotifyDbContext(DbContextOptions<PostgreSqlNotifyDbContext> options) : NotifyDbContext(options)
{
    private const string PushRows = """unnest(@subscriptionIds, @messageIds, @topics) AS push ("SubscriptionId", "MessageId", "Topic")""";

    /// <inheritdoc />
    /// <remarks>An advisory lock has a number for a name. Should two names ever have one number, one waits for the other without need.</remarks>
    public override Task LockAsync(string name, CancellationToken cancellationToken) =>
        Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock({LockName.NumberOf(name)})", cancellationToken);

    private protected override Task LockEachAsync(IReadOnlyList<string> names, CancellationToken cancellationToken) =>
        Database.ExecuteSqlRawAsync(
            "SELECT pg_advisory_xact_lock(number) FROM unnest(@numbers) AS number", [Array("numbers", NpgsqlDbType.Bigint, names.Select(LockName.NumberOf))], cancellationToken);

    internal override IQueryable<PushKey> RowsOf(IReadOnlyCollection<PushKey> pushes) =>
        Database.SqlQueryRaw<PushKey>($"""SELECT * FROM {PushRows}""", ParametersOf(pushes));

    // In the first minutes of an outage it takes the lines to be as empty as on a good day, and would read all of them for the keys of a few: it may not choose where "OFFSET 0" stands.
    internal override IQueryable<WaitingLine> LinesOf(IReadOnlyCollection<Guid> subscriptionIds) => WaitingLines.FromSqlRaw(
        """
        SELECT line.* FROM unnest(@subscriptionIds) AS subscription (id) CROSS JOIN LATERAL (
            SELECT * FROM "WaitingLines" AS w WHERE w."SubscriptionId" = subscription.id OFFSET 0) AS line
        """,
        Array("subscriptionIds", NpgsqlDbType.Uuid, subscriptionIds));

    private protected override IQueryable<WaitingPush> OthersOfTopic(IReadOnlyCollection<PushKey> pushes) => WaitingPushes.FromSqlRaw(
        $"""
        SELECT other.* FROM {PushRows} CROSS JOIN LATERAL (
            SELECT * FROM "WaitingPushes" AS w WHERE w."SubscriptionId" = push."SubscriptionId" AND w."Topic" = push."Topic" AND w."MessageId" <> push."MessageId" OFFSET 0) AS other
        """,
        ParametersOf(pushes));

    internal override Task DeleteWaitingAsync(IReadOnlyCollection<PushKey> pushes) => Database.ExecuteSqlRawAsync(
        $"""
        DELETE FROM "WaitingPushes" WHERE ctid = ANY (ARRAY(
            SELECT found.ctid FROM {PushRows} CROSS JOIN LATERAL (
                SELECT w.ctid FROM "WaitingPushes" AS w WHERE w."SubscriptionId" = push."SubscriptionId" AND w."MessageId" = push."MessageId" OFFSET 0) AS found))
        """,
        ParametersOf(pushes));

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        CompareByteForByte(modelBuilder, "C");
    }

    private protected override async Task WriteAsync(IReadOnlyList<Delivery> deliveries, IReadOnlyList<(Guid Id, DateTimeOffset At)> accepted, CancellationToken cancellationToken)
    {
        if (deliveries.Count > 0)
        {
            // Parallel arrays, so that the statement is the same for any number of rows.
            await Database.ExecuteSqlRawAsync(
                """
                INSERT INTO "Deliveries" AS known ("MessageId", "SubscriptionId", "UserId", "State", "Attempts", "Status", "Reason", "NextAttemptAt", "UpdatedAt")
                SELECT * FROM unnest(@messageId, @subscriptionId, @userId, @state, @attempts, @status, @reason, @nextAttemptAt, @updatedAt)
                ON CONFLICT ("MessageId", "SubscriptionId") DO UPDATE SET
                    "State" = excluded."State", "Attempts" = excluded."Attempts", "Status" = excluded."Status", "Reason" = excluded."Reason",
                    "NextAttemptAt" = excluded."NextAttemptAt", "UpdatedAt" = excluded."UpdatedAt"
                WHERE (known."State" = 'Failed' AND (excluded."State" = 'Accepted' OR excluded."UpdatedAt" > known."UpdatedAt"))
                    OR (known."State" = 'Retrying' AND (excluded."State" <> 'Retrying' OR excluded."Attempts" >= known."Attempts"))
                """,
                [
                    Array("messageId", NpgsqlDbType.Uuid, deliveries.Select(delivery => delivery.MessageId)),
                    Array("subscriptionId", NpgsqlDbType.Uuid, deliveries.Select(delivery => delivery.SubscriptionId)),
                    Array("userId", NpgsqlDbType.Text, deliveries.Select(delivery => delivery.UserId)),
                    Array("state", NpgsqlDbType.Text, deliveries.Select(delivery => delivery.State.ToString())),
                    Array("attempts", NpgsqlDbType.Integer, deliveries.Select(delivery => delivery.Attempts)),
                    Array("status", NpgsqlDbType.Integer, deliveries.Select(delivery => delivery.Status)),
                    Array("reason", NpgsqlDbType.Text, deliveries.Select(delivery => delivery.Reason)),
                    Array("nextAttemptAt", NpgsqlDbType.TimestampTz, deliveries.Select(delivery => delivery.NextAttemptAt?.ToUniversalTime())),
                    Array("updatedAt", NpgsqlDbType.TimestampTz, deliveries.Select(delivery => delivery.UpdatedAt.ToUniversalTime())),
                ],
                cancellationToken);
        }

        if (accepted.Count > 0)
        {
            await Database.ExecuteSqlRawAsync(
                """
                UPDATE "Subscriptions" AS known SET "LastAcceptedAt" = latest.at
                FROM unnest(@id, @at) AS latest (id, at)
                WHERE known."Id" = latest.id AND (known."LastAcceptedAt" IS NULL OR known."LastAcceptedAt" < latest.at - @notedEvery)
                """,
                [
                    Array("id", NpgsqlDbType.Uuid, accepted.Select(subscription => subscription.Id)),
                    Array("at", NpgsqlDbType.TimestampTz, accepted.Select(subscription => subscription.At.ToUniversalTime())),
                    new NpgsqlParameter("notedEvery", NpgsqlDbType.Interval) { Value = AcceptanceNotedEvery },
                ],
                cancellationToken);
        }
    }

    private static object[] ParametersOf(IReadOnlyCollection<PushKey> pushes) =>
    [
        Array("subscriptionIds", NpgsqlDbType.Uuid, pushes.Select(push => push.SubscriptionId)),
        Array("messageIds", NpgsqlDbType.Uuid, pushes.Select(push => push.MessageId)),
        Array("topics", NpgsqlDbType.Text, pushes.Select(push => push.Topic)),
    ];

    private static NpgsqlParameter Array<T>(string name, NpgsqlDbType type, IEnumerable<T> values) => new(name, NpgsqlDbType.Array | type) { Value = values.ToArray() };
}
