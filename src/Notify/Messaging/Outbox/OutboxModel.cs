using Microsoft.EntityFrameworkCore;

namespace Notify.Messaging.Outbox;

/// <summary>Adds the outbox's tables to a model.</summary>
public static class OutboxModel
{
    private const int MaxAddressLength = 256;

    /// <summary>Adds <see cref="InboxState"/>, <see cref="OutboxState"/> and <see cref="OutboxMessage"/>, in the tables that MassTransit.EntityFrameworkCore has.</summary>
    public static void AddTransactionalOutboxEntities(this ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<InboxState>(row =>
        {
            row.ToTable(nameof(InboxState));
            row.HasKey(state => state.Id);
            row.HasAlternateKey(state => new { state.MessageId, state.ConsumerId });
            row.Property(state => state.RowVersion).IsRowVersion();
            row.HasIndex(state => state.Delivered);
        });
        modelBuilder.Entity<OutboxState>(row =>
        {
            row.ToTable(nameof(OutboxState));
            row.HasKey(state => state.OutboxId);
            row.Property(state => state.OutboxId).ValueGeneratedNever();
            row.Property(state => state.RowVersion).IsRowVersion();
            row.HasIndex(state => state.Created);
        });
        modelBuilder.Entity<OutboxMessage>(row =>
        {
            row.ToTable(nameof(OutboxMessage));
            row.HasKey(message => message.SequenceNumber);
            row.Property(message => message.SourceAddress).HasMaxLength(MaxAddressLength);
            row.Property(message => message.DestinationAddress).HasMaxLength(MaxAddressLength);
            row.Property(message => message.ResponseAddress).HasMaxLength(MaxAddressLength);
            row.Property(message => message.FaultAddress).HasMaxLength(MaxAddressLength);
            row.Property(message => message.ContentType).HasMaxLength(MaxAddressLength);
            row.HasIndex(message => message.ExpirationTime);
            row.HasIndex(message => message.EnqueueTime);
            row.HasIndex(message => new { message.InboxMessageId, message.InboxConsumerId, message.SequenceNumber }).IsUnique();
            row.HasIndex(message => new { message.OutboxId, message.SequenceNumber }).IsUnique();
            row.HasOne<InboxState>().WithMany().IsRequired(false)
                .HasForeignKey(message => new { message.InboxMessageId, message.InboxConsumerId })
                .HasPrincipalKey(state => new { state.MessageId, state.ConsumerId });
            row.HasOne<OutboxState>().WithMany().IsRequired(false).HasForeignKey(message => message.OutboxId);
        });
    }
}
