using MassTransit;
using MassTransit.Middleware;
using MassTransit.Middleware.Outbox;
using Microsoft.EntityFrameworkCore;

namespace Notify.Messaging.Outbox;

/// <summary>The consume context of a consumer with an outbox: keeps what it sends in the DbContext, and leaves it to <see cref="OutboxDelivery{TDbContext}"/> once it is saved.</summary>
/// <remarks>MassTransit.EntityFrameworkCore has the consumer deliver by itself. Then what it sends could overtake what was sent outside of consumers before, and would be stranded where the broker is
/// away until the message has run out of tries.</remarks>
internal sealed class OutboxConsumeContext<TDbContext, TMessage>(
    ConsumeContext<TMessage> context, OutboxConsumeOptions options, IServiceProvider services, TDbContext db, InboxState inbox, TimeProvider time)
    : OutboxConsumeContextProxy<TMessage>(context, options, services)
    where TDbContext : DbContext
    where TMessage : class
{
    private readonly Lock _lock = new();

    public override bool ContinueProcessing { get; set; } = true;

    public override bool IsMessageConsumed => inbox.Consumed is not null;

    // What is saved is as good as delivered: that of a row that MassTransit.EntityFrameworkCore has left half done too, since the delivery reads all of the outbox.
    public override bool IsOutboxDelivered => IsMessageConsumed;

    public override int ReceiveCount => inbox.ReceiveCount;

    public override long? LastSequenceNumber => inbox.LastSequenceNumber;

    private DateTime Now => time.GetUtcNow().UtcDateTime;

    public override Task AddSend<T>(SendContext<T> context)
    {
        // Messages are sent concurrently; a DbContext is for one at a time.
        lock (_lock)
        {
            db.Add(OutboxMessage.Of(context, Now, (inbox.MessageId, inbox.ConsumerId), outboxId: null));
        }

        return Task.CompletedTask;
    }

    public override Task SetConsumed()
    {
        inbox.Consumed = inbox.Delivered = Now;
        return db.SaveChangesAsync(CancellationToken);
    }

    public override Task SetDelivered() => Task.CompletedTask;

    public override Task<List<OutboxMessageContext>> LoadOutboxMessages() => Task.FromResult<List<OutboxMessageContext>>([]);

    public override Task NotifyOutboxMessageDelivered(OutboxMessageContext message) => Task.CompletedTask;

    public override Task RemoveOutboxMessages() => Task.CompletedTask;
}
