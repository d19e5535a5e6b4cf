using Microsoft.EntityFrameworkCore;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Messaging.Outbox;
using Notify.Sending;
using Notify.Store.Encryption;
using Notify.Subscriptions;

namespace Notify.Store;

/// <summary>The store: one model on three databases. What only one of them understands is in the class derived for it.</summary>
public abstract class NotifyDbContext(DbContextOptions options) : DbContext(options), INamedLocks
{
    internal const int MaxUserIdLength = 256;

    // They are looked for by two lists of keys, in every combination of these.
    private const int MostAttemptsAtOnce = 500;

    /// <summary>How old the acceptance that is noted on a subscription must be to give way to a later one.</summary>
    internal static readonly TimeSpan AcceptanceNotedEvery = TimeSpan.FromMinutes(1);

    /// <summary>Push subscriptions, one row an endpoint.</summary>
    public DbSet<Subscription> Subscriptions => Set<Subscription>();

    /// <summary>Parts of messages that were fanned out.</summary>
    public DbSet<FannedOutPart> FannedOutParts => Set<FannedOutPart>();

    /// <summary>Subscriptions that something waits for; empty on good days.</summary>
    public DbSet<WaitingLine> WaitingLines => Set<WaitingLine>();

    /// <summary>The pushes in those lines.</summary>
    public DbSet<WaitingPush> WaitingPushes => Set<WaitingPush>();

    /// <summary>What became of each push.</summary>
    public DbSet<Delivery> Deliveries => Set<Delivery>();

    /// <summary>The attempts after which pushes had to wait.</summary>
    public DbSet<DeliveryAttempt> DeliveryAttempts => Set<DeliveryAttempt>();

    /// <summary>What service workers have reported of pushes.</summary>
    public DbSet<Receipt> Receipts => Set<Receipt>();

    /// <summary>At most one row; Development only.</summary>
    public DbSet<DevelopmentVapidKey> DevelopmentVapidKeys => Set<DevelopmentVapidKey>();

    /// <summary>Keys that something here may be encrypted with.</summary>
    public DbSet<EncryptionKey> EncryptionKeys => Set<EncryptionKey>();

    /// <summary>An id for a new row, greater in this database's order than those made before, so that the row goes to the end of a clustered index.</summary>
    public virtual Guid NewId(DateTimeOffset now) => Guid.CreateVersion7(now);

    /// <summary>
    /// Does work in a transaction, and does it again, from the start, where the database says that it may succeed then (a lost connection, a deadlock). Inside a transaction, such as that of a
    /// consumer with an outbox, it is a part of that.
    /// </summary>
    internal Task<T> InTransactionAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken) =>
        Database.CurrentTransaction is not null ? work() : Database.CreateExecutionStrategy().ExecuteAsync(
            async token =>
            {
                ChangeTracker.Clear();
                await using var transaction = await Database.BeginTransactionAsync(token);
                var result = await work();

                // Past this point it counts, even where the caller has gone.
                await transaction.CommitAsync(CancellationToken.None);
                return result;
            },
            cancellationToken);

    /// <inheritdoc />
    public abstract Task LockAsync(string name, CancellationToken cancellationToken);

    /// <summary>Locks several names, always in the same order, so that no two who do so wait for each other.</summary>
    internal Task LockAllAsync(IEnumerable<string> names, CancellationToken cancellationToken) =>
        LockEachAsync([.. names.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)], cancellationToken);

    /// <summary>Locks these names one after the other.</summary>
    private protected virtual async Task LockEachAsync(IReadOnlyList<string> names, CancellationToken cancellationToken)
    {
        foreach (var name in names)
        {
            await LockAsync(name, cancellationToken);
        }
    }

    /// <summary>
    /// Writes what became of pushes, in one transaction. Events may come late or twice: what <see cref="Delivery.GivesWayTo"/> says decides
    /// which of them is kept.
    /// </summary>
    /// <param name="deliveries">What goes into the delivery log.</param>
    /// <param name="noted">Those of which the acceptances are noted on their subscriptions, to the minute.</param>
    /// <param name="cancellationToken">Gives up.</param>
    internal Task WriteOutcomesAsync(IReadOnlyCollection<Delivery> deliveries, IReadOnlyCollection<Delivery> noted, CancellationToken cancellationToken)
    {
        // In the order of their keys, so that two who write at once do not wait for each other.
        var rows = deliveries
            .GroupBy(delivery => (delivery.MessageId, delivery.SubscriptionId))
            .Select(group => group.Aggregate((known, next) => known.GivesWayTo(next) ? next : known))
            .OrderBy(delivery => delivery.MessageId).ThenBy(delivery => delivery.SubscriptionId)
            .ToList();
        var accepted = noted
            .Where(delivery => delivery.State == DeliveryState.Accepted)
            .GroupBy(delivery => delivery.SubscriptionId, (id, group) => (Id: id, At: group.Max(delivery => delivery.UpdatedAt)))
            .OrderBy(subscription => subscription.Id)
            .ToList();
        return rows.Count == 0 && accepted.Count == 0 ? Task.CompletedTask : InTransactionAsync(
            async () =>
            {
                await WriteAsync(rows, accepted, cancellationToken);
                return true;
            },
            cancellationToken);
    }

    /// <summary>The state of each of these subscriptions.</summary>
    /// <param name="ids">None twice.</param>
    internal virtual async Task<Dictionary<Guid, SubscriptionState>> FindSubscriptionStatesAsync(IReadOnlyCollection<Guid> ids)
    {
        var known = await Subscriptions.AsNoTracking()
            .Where(subscription => ids.Contains(subscription.Id))
            .Select(subscription => new
            {
                subscription.Id,
                subscription.UserId,
                subscription.Revision,
                subscription.LastAcceptedAt,
                Head = WaitingLines.Where(line => line.SubscriptionId == subscription.Id).Select(line => (long?)line.Head).FirstOrDefault(),
            })
            .ToDictionaryAsync(row => row.Id, row => (Stamp: new SubscriptionStamp(row.UserId, row.Revision, row.LastAcceptedAt), Waits: row.Head is not null));

        // Something may still wait for one that is gone.
        var waiting = ids.Where(id => !known.TryGetValue(id, out var row) || row.Waits).ToList();
        var lines = waiting.Count == 0 ? [] : await LinesOf(waiting).AsNoTracking().ToDictionaryAsync(line => line.SubscriptionId);
        return ids.ToDictionary(id => id, id => new SubscriptionState(known.GetValueOrDefault(id).Stamp, lines.GetValueOrDefault(id)));
    }

    /// <summary>The lines of these subscriptions.</summary>
    internal virtual IQueryable<WaitingLine> LinesOf(IReadOnlyCollection<Guid> subscriptionIds) => WaitingLines.Where(line => subscriptionIds.Contains(line.SubscriptionId));

    /// <summary>Of those of these pushes that the delivery log has as accepted, the users that they were for.</summary>
    internal async Task<IReadOnlyDictionary<(Guid SubscriptionId, Guid MessageId), string>> FindAcceptedAsync(IReadOnlyCollection<PushKey> pushes)
    {
        if (pushes.Count == 0)
        {
            return new Dictionary<(Guid, Guid), string>();
        }

        var accepted = await RowsOf(pushes)
            .Select(push => new
            {
                push.SubscriptionId,
                push.MessageId,
                UserId = Deliveries
                    .Where(delivery => delivery.MessageId == push.MessageId && delivery.SubscriptionId == push.SubscriptionId && delivery.State == DeliveryState.Accepted)
                    .Select(delivery => delivery.UserId)
                    .FirstOrDefault(),
            })
            .ToListAsync();
        return accepted.Where(push => push.UserId is not null).ToDictionary(push => (push.SubscriptionId, push.MessageId), push => push.UserId!);
    }

    /// <summary>The positions of those of these pushes that are in line.</summary>
    internal async Task<IReadOnlyDictionary<(Guid SubscriptionId, Guid MessageId), long>> FindPositionsAsync(IReadOnlyCollection<PushKey> pushes)
    {
        var positions = await RowsOf(pushes)
            .Select(push => new
            {
                push.SubscriptionId,
                push.MessageId,
                Position = WaitingPushes.Where(row => row.SubscriptionId == push.SubscriptionId && row.MessageId == push.MessageId).Select(row => (long?)row.Position).FirstOrDefault(),
            })
            .ToListAsync();
        return positions.Where(push => push.Position is not null).ToDictionary(push => (push.SubscriptionId, push.MessageId), push => push.Position!.Value);
    }

    /// <summary>What else waits with the topics of these pushes.</summary>
    /// <param name="pushes">Of each subscription one.</param>
    internal async Task<ILookup<Guid, WaitingPush>> FindWaitingOfTopicAsync(IReadOnlyCollection<PushKey> pushes)
    {
        var ofTopics = pushes.Where(push => push.Topic.Length > 0).ToList();
        var rows = ofTopics.Count == 0 ? [] : await OthersOfTopic(ofTopics).AsNoTracking().ToListAsync();
        return rows.ToLookup(row => row.SubscriptionId);
    }

    /// <summary>What else waits with the topics of these pushes.</summary>
    private protected virtual IQueryable<WaitingPush> OthersOfTopic(IReadOnlyCollection<PushKey> pushes) => RowsOf(pushes)
        .Join(WaitingPushes, push => new { push.SubscriptionId, push.Topic }, row => new { row.SubscriptionId, Topic = row.Topic! }, (push, row) => new { push, row })
        .Where(pair => pair.row.MessageId != pair.push.MessageId)
        .Select(pair => pair.row);

    /// <summary>Takes these pushes out of their lines.</summary>
    internal virtual Task DeleteWaitingAsync(IReadOnlyCollection<PushKey> pushes) =>
        WaitingPushes.Where(row => RowsOf(pushes).Any(push => push.SubscriptionId == row.SubscriptionId && push.MessageId == row.MessageId)).ExecuteDeleteAsync();

    /// <summary>These keys as rows, to be joined with those of a table.</summary>
    internal abstract IQueryable<PushKey> RowsOf(IReadOnlyCollection<PushKey> pushes);

    /// <summary>Finds, by their keys, which of these parts are there. There may be others among what is found.</summary>
    internal virtual async Task<IReadOnlySet<(Guid MessageId, int Offset, int Count)>> FindFannedOutPartsAsync(IReadOnlyCollection<FannedOutPart> parts)
    {
        var messages = parts.Select(part => part.MessageId).Distinct().ToList();
        var offsets = parts.Select(part => part.Offset).Distinct().ToList();
        var known = await FannedOutParts.AsNoTracking()
            .Where(part => messages.Contains(part.MessageId) && offsets.Contains(part.Offset))
            .Select(part => new { part.MessageId, part.Offset, part.Count })
            .ToListAsync();
        return known.Select(part => (part.MessageId, part.Offset, part.Count)).ToHashSet();
    }

    /// <summary>Adds parts, all or none.</summary>
    /// <exception cref="DbUpdateException">One is there already, among others. Of one that is twice among them it may be an <see cref="InvalidOperationException"/>.</exception>
    internal virtual Task<int> AddFannedOutPartsAsync(IReadOnlyCollection<FannedOutPart> parts)
    {
        FannedOutParts.AddRange(parts);
        return SaveChangesAsync();
    }

    /// <summary>Writes down what service workers report; of each push the first of each kind.</summary>
    /// <exception cref="DbUpdateException">Another process writes down the same report at this moment; the next try finds it there.</exception>
    internal async Task WriteReceiptsAsync(IReadOnlyCollection<Receipt> receipts, CancellationToken cancellationToken)
    {
        var messages = receipts.Select(receipt => receipt.MessageId).Distinct().ToList();
        var subscriptions = receipts.Select(receipt => receipt.SubscriptionId).Distinct().ToList();
        var known = await Receipts.AsNoTracking()
            .Where(receipt => messages.Contains(receipt.MessageId) && subscriptions.Contains(receipt.SubscriptionId))
            .Select(receipt => new { receipt.MessageId, receipt.SubscriptionId, receipt.Kind })
            .ToHashSetAsync(cancellationToken);
        ChangeTracker.Clear();
        Receipts.AddRange(receipts.OrderBy(receipt => receipt.At)
            .DistinctBy(receipt => new { receipt.MessageId, receipt.SubscriptionId, receipt.Kind })
            .Where(receipt => !known.Contains(new { receipt.MessageId, receipt.SubscriptionId, receipt.Kind })));
        await SaveChangesAsync(cancellationToken);
    }

    /// <summary>Writes down the attempts after which pushes wait; each once, however often it is told.</summary>
    internal async Task WriteAttemptsAsync(IReadOnlyCollection<DeliveryAttempt> attempts, CancellationToken cancellationToken)
    {
        foreach (var some in attempts.Chunk(MostAttemptsAtOnce))
        {
            try
            {
                await WriteNewAttemptsAsync(some, cancellationToken);
            }
            catch (DbUpdateException)
            {
                // Another process has written down the same attempt at this moment; now it is there.
                await WriteNewAttemptsAsync(some, cancellationToken);
            }
        }
    }

    private async Task WriteNewAttemptsAsync(DeliveryAttempt[] attempts, CancellationToken cancellationToken)
    {
        var messages = attempts.Select(attempt => attempt.MessageId).Distinct().ToList();
        var subscriptions = attempts.Select(attempt => attempt.SubscriptionId).Distinct().ToList();
        var known = await DeliveryAttempts.AsNoTracking()
            .Where(attempt => messages.Contains(attempt.MessageId) && subscriptions.Contains(attempt.SubscriptionId))
            .Select(attempt => new { attempt.MessageId, attempt.SubscriptionId, attempt.Attempt })
            .ToHashSetAsync(cancellationToken);
        ChangeTracker.Clear();
        DeliveryAttempts.AddRange(attempts
            .DistinctBy(attempt => new { attempt.MessageId, attempt.SubscriptionId, attempt.Attempt })
            .Where(attempt => !known.Contains(new { attempt.MessageId, attempt.SubscriptionId, attempt.Attempt })));
        await SaveChangesAsync(cancellationToken);
    }

    /// <summary>Does the work of <see cref="WriteOutcomesAsync"/>.</summary>
    /// <param name="deliveries">By key, none twice.</param>
    /// <param name="accepted">When each subscription's push service last accepted a push; written if that is <see cref="AcceptanceNotedEvery"/> later than what is known.</param>
    /// <param name="cancellationToken">Gives up.</param>
    private protected abstract Task WriteAsync(IReadOnlyList<Delivery> deliveries, IReadOnlyList<(Guid Id, DateTimeOffset At)> accepted, CancellationToken cancellationToken);

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Subscription>(row =>
        {
            row.Property(subscription => subscription.Id).ValueGeneratedNever();
            row.Property(subscription => subscription.UserId).HasMaxLength(MaxUserIdLength);
            row.Property(subscription => subscription.EndpointDigest).HasMaxLength(EndpointDigests.Length).IsFixedLength().IsUnicode(false);
            row.Property(subscription => subscription.P256dh).HasMaxLength(256).IsUnicode(false);
            row.Property(subscription => subscription.Auth).HasMaxLength(128).IsUnicode(false);
            row.Property(subscription => subscription.ApplicationServerKey).HasMaxLength(87).IsUnicode(false);
            row.Property(subscription => subscription.UserAgent).HasMaxLength(256);
            row.HasIndex(subscription => subscription.EndpointDigest).IsUnique();
            row.HasIndex(subscription => subscription.UserId);
        });
        modelBuilder.Entity<FannedOutPart>(row =>
        {
            row.HasKey(part => new { part.MessageId, part.Offset, part.Count });

            // Parts are forgotten days before their messages: among all, the oldest of them would be found behind the messages of those days.
            row.HasIndex(part => part.FannedOutAt, "IX_FannedOutParts_FannedOutAt_Parts").HasFilter("\"Count\" <> 0");
            row.HasIndex(part => part.FannedOutAt, "IX_FannedOutParts_FannedOutAt_Messages").HasFilter("\"Count\" = 0");
        });
        modelBuilder.Entity<WaitingLine>(row =>
        {
            row.HasKey(line => line.SubscriptionId);
            row.Property(line => line.SubscriptionId).ValueGeneratedNever();
            row.HasIndex(line => line.NextAttemptAt);
        });
        modelBuilder.Entity<WaitingPush>(row =>
        {
            row.HasKey(push => new { push.SubscriptionId, push.Position });
            row.Property(push => push.Topic).HasMaxLength(32).IsUnicode(false);
            row.Property(push => push.TraceParent).HasMaxLength(64).IsUnicode(false);
            row.HasIndex(push => new { push.SubscriptionId, push.Topic });
            row.HasIndex(push => new { push.SubscriptionId, push.MessageId }).IsUnique();
        });
        modelBuilder.Entity<Delivery>(row =>
        {
            row.HasKey(delivery => new { delivery.MessageId, delivery.SubscriptionId });
            row.Property(delivery => delivery.UserId).HasMaxLength(MaxUserIdLength);
            row.Property(delivery => delivery.State).HasConversion<string>().HasMaxLength(16).IsUnicode(false);
            row.HasIndex(delivery => delivery.UpdatedAt);
            row.HasIndex(delivery => new { delivery.UserId, delivery.UpdatedAt });
        });
        modelBuilder.Entity<DeliveryAttempt>(row =>
        {
            row.HasKey(attempt => new { attempt.MessageId, attempt.SubscriptionId, attempt.Attempt });
            row.HasIndex(attempt => attempt.At);
        });
        modelBuilder.Entity<Receipt>(row =>
        {
            row.HasKey(receipt => new { receipt.MessageId, receipt.SubscriptionId, receipt.Kind });
            row.Property(receipt => receipt.Kind).HasConversion<string>().HasMaxLength(16).IsUnicode(false);
            row.Property(receipt => receipt.Action).HasMaxLength(256);
            row.HasIndex(receipt => receipt.At);
        });
        modelBuilder.Entity<DevelopmentVapidKey>(row => row.Property(key => key.Id).ValueGeneratedNever());
        modelBuilder.Entity<EncryptionKey>(row => row.Property(key => key.Id).HasMaxLength(SecretCipher.MaxKeyIdLength).IsUnicode(false));
        modelBuilder.AddTransactionalOutboxEntities();
    }

    /// <summary>Has the columns that are compared byte for byte use this collation.</summary>
    private protected static void CompareByteForByte(ModelBuilder modelBuilder, string collation)
    {
        modelBuilder.Entity<Subscription>().Property(subscription => subscription.UserId).UseCollation(collation);
        modelBuilder.Entity<Subscription>().Property(subscription => subscription.EndpointDigest).UseCollation(collation);
        modelBuilder.Entity<WaitingPush>().Property(push => push.Topic).UseCollation(collation);
        modelBuilder.Entity<Delivery>().Property(delivery => delivery.UserId).UseCollation(collation);
        modelBuilder.Entity<Delivery>().Property(delivery => delivery.State).UseCollation(collation);
        modelBuilder.Entity<Receipt>().Property(receipt => receipt.Kind).UseCollation(collation);
    }
}
