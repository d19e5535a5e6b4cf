using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Notify.Deliveries;
using Notify.Subscriptions;

namespace Notify.Store;

/// <summary>What SQLite is asked in its own words: statements that must be one statement, or must be fast.</summary>
internal sealed class SqliteStatements(NotifyDbContext db)
{
    /// <summary>
    /// Inserts the subscription, or, where its endpoint is known, refreshes its keys and moves it to this user. The application server key stays: a
    /// browser binds it to the endpoint.
    /// </summary>
    /// <returns>The row's id, this one's own if it is new; null if the user has as many other subscriptions as allowed.</returns>
    public async Task<Guid?> UpsertAsync(Subscription subscription, int maxPerUser, CancellationToken cancellationToken)
    {
        var ids = await db.Database.SqlQuery<Guid>(
            $"""
            INSERT INTO "Subscriptions" ("Id", "UserId", "Endpoint", "EndpointDigest", "P256dh", "Auth", "ApplicationServerKey", "UserAgent", "CreatedAt")
            SELECT {subscription.Id}, {subscription.UserId}, {subscription.Endpoint}, {subscription.EndpointDigest}, {subscription.P256dh}, {subscription.Auth},
                   {subscription.ApplicationServerKey}, {subscription.UserAgent}, {subscription.CreatedAt.UtcTicks}
            WHERE (SELECT COUNT(*) FROM "Subscriptions" WHERE "UserId" = {subscription.UserId} AND "EndpointDigest" <> {subscription.EndpointDigest}) < {maxPerUser}
            ON CONFLICT ("EndpointDigest") DO UPDATE SET
                "UserId" = excluded."UserId", "P256dh" = excluded."P256dh", "Auth" = excluded."Auth", "UserAgent" = excluded."UserAgent"
            RETURNING "Id" AS "Value"
            """).ToListAsync(cancellationToken);
        return ids is [var id] ? id : null;
    }

    /// <summary>Keeps the pair unless another process was first.</summary>
    public Task KeepFirstDevelopmentVapidKeyAsync(string publicKey, string privateKey, CancellationToken cancellationToken) =>
        db.Database.ExecuteSqlAsync(
            $"""INSERT INTO "DevelopmentVapidKeys" ("Id", "PublicKey", "PrivateKey") VALUES (1, {publicKey}, {privateKey}) ON CONFLICT ("Id") DO NOTHING""",
            cancellationToken);

    /// <summary>
    /// Writes what became of pushes, in one transaction. Events may come late or twice: an end (accepted, expired, failed) is never overwritten by a
    /// wait, nor a wait by an earlier one. Acceptance is noted on the subscription too, to the minute.
    /// </summary>
    public async Task WriteDeliveriesAsync(IReadOnlyCollection<Delivery> deliveries, CancellationToken cancellationToken)
    {
        await db.Database.OpenConnectionAsync(cancellationToken);
        var connection = (SqliteConnection)db.Database.GetDbConnection();

        // A short transaction of a local file: done on this thread, as the provider would do anyway.
        using var transaction = connection.BeginTransaction();
        using var write = Command(
            """
            INSERT INTO "Deliveries" ("MessageId", "SubscriptionId", "UserId", "State", "Attempts", "Status", "Reason", "NextAttemptAt", "UpdatedAt")
            VALUES ($messageId, $subscriptionId, $userId, $state, $attempts, $status, $reason, $nextAttemptAt, $updatedAt)
            ON CONFLICT ("MessageId", "SubscriptionId") DO UPDATE SET
                "State" = excluded."State", "Attempts" = excluded."Attempts", "Status" = excluded."Status", "Reason" = excluded."Reason",
                "NextAttemptAt" = excluded."NextAttemptAt", "UpdatedAt" = excluded."UpdatedAt"
            WHERE "Deliveries"."State" = 'Retrying' AND (excluded."State" <> 'Retrying' OR excluded."Attempts" >= "Deliveries"."Attempts")
            """,
            "$messageId", "$subscriptionId", "$userId", "$state", "$attempts", "$status", "$reason", "$nextAttemptAt", "$updatedAt");
        using var accepted = Command(
            """UPDATE "Subscriptions" SET "LastAcceptedAt" = $at WHERE "Id" = $id AND ("LastAcceptedAt" IS NULL OR "LastAcceptedAt" < $before)""",
            "$at", "$before", "$id");
        foreach (var delivery in deliveries)
        {
            Execute(
                write, delivery.MessageId, delivery.SubscriptionId, delivery.UserId, delivery.State.ToString(), delivery.Attempts, delivery.Status, delivery.Reason,
                delivery.NextAttemptAt?.UtcTicks, delivery.UpdatedAt.UtcTicks);
        }

        foreach (var latest in deliveries.Where(delivery => delivery.State == DeliveryState.Accepted).GroupBy(delivery => delivery.SubscriptionId))
        {
            var at = latest.Max(delivery => delivery.UpdatedAt);
            Execute(accepted, at.UtcTicks, (at - TimeSpan.FromMinutes(1)).UtcTicks, latest.Key);
        }

        transaction.Commit();

        SqliteCommand Command(string text, params string[] parameters)
        {
            var command = connection.CreateCommand();
            (command.CommandText, command.Transaction) = (text, transaction);
            foreach (var parameter in parameters)
            {
                command.Parameters.Add(new SqliteParameter { ParameterName = parameter });
            }

            return command;
        }

        static void Execute(DbCommand command, params object?[] values)
        {
            for (var i = 0; i < values.Length; i++)
            {
                // EF Core keeps a Guid as upper-case text.
                command.Parameters[i].Value = values[i] switch { null => DBNull.Value, Guid id => id.ToString().ToUpperInvariant(), var value => value };
            }

            command.ExecuteNonQuery();
        }
    }
}
