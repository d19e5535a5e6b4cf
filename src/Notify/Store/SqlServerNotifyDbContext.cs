using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Messaging.Outbox;
using Notify.Sending;

namespace Notify.Store;

/// <summary>The store on Microsoft SQL Server.</summary>
public sealed class SqlServerNotifyDbContext(DbContextOptions<SqlServerNotifyDbContext> options) : NotifyDbContext(options)
{
    // Of a list of names as JSON, one after the other; sooner than the client gives the command up.
    internal const string LockStatement =
        """
        DECLARE @name nvarchar(255), @granted int, @left int, @until datetime2 = DATEADD(second, 20, SYSUTCDATETIME());
        DECLARE names CURSOR LOCAL FAST_FORWARD FOR SELECT value FROM OPENJSON({0}) ORDER BY CAST([key] AS int);
        OPEN names;
        FETCH NEXT FROM names INTO @name;
        WHILE @@FETCH_STATUS = 0
        BEGIN
            SET @left = DATEDIFF(millisecond, SYSUTCDATETIME(), @until);
            IF @left < 0 SET @left = 0;
            EXEC @granted = sp_getapplock @Resource = @name, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = @left;
            IF @granted = -3 THROW 51205, 'The lock was not granted: others waited for each other.', 1;
            IF @granted < 0 THROW 51222, 'The lock was not granted within 20 s.', 1;
            FETCH NEXT FROM names INTO @name;
        END;
        CLOSE names;
        DEALLOCATE names;
        """;

    internal const string KeysQuery =
        """
        SELECT "SubscriptionId", "MessageId", "Topic" COLLATE Latin1_General_100_BIN2 AS "Topic"
        FROM OPENJSON({0}) WITH ("SubscriptionId" uniqueidentifier, "MessageId" uniqueidentifier, "Topic" varchar(32))
        """;

    internal const string DeliveriesStatement =
        """
        MERGE "Deliveries" WITH (HOLDLOCK) AS known
        USING (SELECT * FROM OPENJSON({0}) WITH (
            "MessageId" uniqueidentifier, "SubscriptionId" uniqueidentifier, "UserId" nvarchar(256), "State" varchar(16), "Attempts" int, "Status" int,
            "Reason" nvarchar(max), "NextAttemptAt" datetimeoffset, "UpdatedAt" datetimeoffset)) AS latest
        ON known."MessageId" = latest."MessageId" AND known."SubscriptionId" = latest."SubscriptionId"
        WHEN NOT MATCHED THEN
            INSERT ("MessageId", "SubscriptionId", "UserId", "State", "Attempts", "Status", "Reason", "NextAttemptAt", "UpdatedAt")
            VALUES (latest."MessageId", latest."SubscriptionId", latest."UserId", latest."State", latest."Attempts", latest."Status", latest."Reason", latest."NextAttemptAt", latest."UpdatedAt")
        WHEN MATCHED AND ((known."State" = 'Failed' AND (latest."State" = 'Accepted' OR latest."UpdatedAt" > known."UpdatedAt"))
            OR (known."State" = 'Retrying' AND (latest."State" <> 'Retrying' OR latest."Attempts" >= known."Attempts"))) THEN
            UPDATE SET "State" = latest."State", "Attempts" = latest."Attempts", "Status" = latest."Status", "Reason" = latest."Reason",
                "NextAttemptAt" = latest."NextAttemptAt", "UpdatedAt" = latest."UpdatedAt";
        """;

    internal const string AcceptedStatement =
        """
        UPDATE known SET "LastAcceptedAt" = latest."At"
        FROM "Subscriptions" AS known
        JOIN OPENJSON({0}) WITH ("Id" uniqueidentifier, "At" datetimeoffset) AS latest ON known."Id" = latest."Id"
        WHERE known."LastAcceptedAt" IS NULL OR known."LastAcceptedAt" < DATEADD(second, -{1}, latest."At");
        """;

    /// <summary>Errors of <see cref="LockStatement"/> after which another try may succeed; who keeps a lock back for good keeps each of the tries waiting.</summary>
    internal static readonly int[] TransientErrors = [51205, 51222];

    private const string InsertionOrder = "InsertionOrder";

    /// <inheritdoc />
    /// <remarks>SQL Server looks at a uniqueidentifier's last bytes first: a version 7 UUID would land anywhere.</remarks>
    public override Guid NewId(DateTimeOffset now) => MassTransit.NewId.NextGuid();

    /// <inheritdoc />
    public override Task LockAsync(string name, CancellationToken cancellationToken) => LockEachAsync([name], cancellationToken);

    private protected override Task LockEachAsync(IReadOnlyList<string> names, CancellationToken cancellationToken) =>
        Database.ExecuteSqlRawAsync(LockStatement, [JsonSerializer.Serialize(names.Select(LockName.TextOf))], cancellationToken);

    internal override IQueryable<PushKey> RowsOf(IReadOnlyCollection<PushKey> pushes) => Database.SqlQueryRaw<PushKey>(KeysQuery, JsonSerializer.Serialize(pushes));

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        CompareByteForByte(modelBuilder, "Latin1_General_100_BIN2");

        // Their keys hold ids that publishers made, in no order: the rows lie in the order in which they came, and the key is an index beside them.
        ClusterByInsertion<Delivery>(modelBuilder);
        ClusterByInsertion<DeliveryAttempt>(modelBuilder);
        ClusterByInsertion<FannedOutPart>(modelBuilder);

        // Several rows in one statement would be numbered in any order.
        modelBuilder.Entity<OutboxMessage>().ToTable(table => table.UseSqlOutputClause(false));
    }

    private protected override async Task WriteAsync(IReadOnlyList<Delivery> deliveries, IReadOnlyList<(Guid Id, DateTimeOffset At)> accepted, CancellationToken cancellationToken)
    {
        var rows = deliveries.Select(delivery => new
        {
            delivery.MessageId, delivery.SubscriptionId, delivery.UserId, State = delivery.State.ToString(), delivery.Attempts, delivery.Status, delivery.Reason, delivery.NextAttemptAt, delivery.UpdatedAt,
        });
        if (deliveries.Count > 0)
        {
            await Database.ExecuteSqlRawAsync(DeliveriesStatement, [JsonSerializer.Serialize(rows)], cancellationToken);
        }

        if (accepted.Count > 0)
        {
            await Database.ExecuteSqlRawAsync(AcceptedStatement, [JsonSerializer.Serialize(accepted.Select(subscription => new { subscription.Id, subscription.At })), (int)AcceptanceNotedEvery.TotalSeconds], cancellationToken);
        }
    }

    private static void ClusterByInsertion<T>(ModelBuilder modelBuilder)
        where T : class => modelBuilder.Entity<T>(row =>
        {
            // By its full name: PostgreSQL's provider has a method of the same one.
            SqlServerPropertyBuilderExtensions.UseIdentityColumn(row.Property<long>(InsertionOrder));
            row.HasIndex(InsertionOrder).IsUnique().IsClustered();
            row.HasKey(row.Metadata.FindPrimaryKey()!.Properties.Select(property => property.Name).ToArray()).IsClustered(false);
        });
}
