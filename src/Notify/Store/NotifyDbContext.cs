using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Sending;
using Notify.Subscriptions;

namespace Notify.Store;

/// <summary>The store.</summary>
public sealed class NotifyDbContext(DbContextOptions<NotifyDbContext> options) : DbContext(options)
{
    internal const int MaxUserIdLength = 256;

    /// <summary>Push subscriptions, one row an endpoint.</summary>
    public DbSet<Subscription> Subscriptions => Set<Subscription>();

    /// <summary>Message ids that were fanned out.</summary>
    public DbSet<FannedOutMessage> FannedOutMessages => Set<FannedOutMessage>();

    /// <summary>Subscriptions that something waits for; empty on good days.</summary>
    public DbSet<WaitingLine> WaitingLines => Set<WaitingLine>();

    /// <summary>The pushes in those lines.</summary>
    public DbSet<WaitingPush> WaitingPushes => Set<WaitingPush>();

    /// <summary>What became of each push.</summary>
    public DbSet<Delivery> Deliveries => Set<Delivery>();

    /// <summary>At most one row; Development only.</summary>
    public DbSet<DevelopmentVapidKey> DevelopmentVapidKeys => Set<DevelopmentVapidKey>();

    /// <summary>The statements that EF Core has no words for, as this database speaks them.</summary>
    internal SqliteStatements Statements => new(this);

    /// <inheritdoc />
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        // SQLite has no type for a point in time: ticks of UTC compare and sort as they should.
        configurationBuilder.Properties<DateTimeOffset>().HaveConversion<UtcTicksConverter>();
    }

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<Subscription>(row =>
        {
            row.Property(subscription => subscription.Id).ValueGeneratedNever();
            row.Property(subscription => subscription.UserId).HasMaxLength(MaxUserIdLength);
            row.Property(subscription => subscription.EndpointDigest).HasMaxLength(EndpointDigests.Length).IsFixedLength();
            row.Property(subscription => subscription.P256dh).HasMaxLength(87);
            row.Property(subscription => subscription.Auth).HasMaxLength(22);
            row.Property(subscription => subscription.ApplicationServerKey).HasMaxLength(87);
            row.Property(subscription => subscription.UserAgent).HasMaxLength(256);
            row.HasIndex(subscription => subscription.EndpointDigest).IsUnique();
            row.HasIndex(subscription => subscription.UserId);
        });
        modelBuilder.Entity<FannedOutMessage>(row =>
        {
            row.HasKey(message => message.MessageId);
            row.Property(message => message.MessageId).ValueGeneratedNever();
            row.HasIndex(message => message.FannedOutAt);
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
            row.Property(push => push.Topic).HasMaxLength(32);
            row.HasIndex(push => new { push.SubscriptionId, push.Topic });
            row.HasIndex(push => new { push.SubscriptionId, push.MessageId }).IsUnique();
        });
        modelBuilder.Entity<Delivery>(row =>
        {
            row.HasKey(delivery => new { delivery.MessageId, delivery.SubscriptionId });
            row.Property(delivery => delivery.UserId).HasMaxLength(MaxUserIdLength);
            row.Property(delivery => delivery.State).HasConversion<string>().HasMaxLength(16);
            row.HasIndex(delivery => delivery.UpdatedAt);
        });
        modelBuilder.Entity<DevelopmentVapidKey>(row => row.Property(key => key.Id).ValueGeneratedNever());
    }

    private sealed class UtcTicksConverter()
        : ValueConverter<DateTimeOffset, long>(value => value.UtcTicks, ticks => new DateTimeOffset(ticks, TimeSpan.Zero));
}
