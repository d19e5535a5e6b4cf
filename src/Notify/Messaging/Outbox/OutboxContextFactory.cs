using MassTransit;
using MassTransit.Middleware;
using MassTransit.Middleware.Outbox;
using Microsoft.EntityFrameworkCore;

namespace Notify.Messaging.Outbox;

/// <summary>
/// Takes a message through a consumer with an outbox: (1) notes it in the inbox, (2) has it consumed, in one transaction with the rows that the consumer changes and the messages that it
/// sends, and (3) wakes the delivery. One that the inbox knows is not consumed again.
/// </summary>
internal sealed class OutboxContextFactory<TDbContext>(TDbContext db, IBusOutboxNotification notification, IServiceProvider services, TimeProvider time) : IOutboxContextFactory<TDbContext>
    where TDbContext : DbContext
{
    public async Task Send<T>(ConsumeContext<T> context, OutboxConsumeOptions options, IPipe<OutboxConsumeContext<T>> next)
        where T : class
    {
        var messageId = context.GetOriginalMessageId()
            ?? throw new MessageException(typeof(T), "A message needs a MessageId to be consumed with an outbox: it is how a second delivery is known.");
        var goesOn = true;
        while (goesOn)
        {
            goesOn = await db.Database.CreateExecutionStrategy().ExecuteAsync(StepAsync);
        }

        async Task<bool> StepAsync()
        {
            db.ChangeTracker.Clear();
            var mine = db.Set<InboxState>().Where(state => state.MessageId == messageId && state.ConsumerId == options.ConsumerId);

            if (await mine.SingleOrDefaultAsync(state => state.Consumed != null, context.CancellationToken) is { } consumed)
            {
                return await GoAsync(consumed);
            }

            await using var transaction = await db.Database.BeginTransactionAsync(context.CancellationToken);

            // (1) A change of the row locks it on every database.
            var lockId = NewId.NextGuid();
            if (await mine.ExecuteUpdateAsync(set => set.SetProperty(state => state.LockId, lockId).SetProperty(state => state.ReceiveCount, state => state.ReceiveCount + 1), context.CancellationToken) == 0)
            {
                db.Add(new InboxState
                {
                    MessageId = messageId, ConsumerId = options.ConsumerId, LockId = lockId, ReceiveCount = 1, Received = time.GetUtcNow().UtcDateTime, ExpirationTime = context.ExpirationTime?.ToUniversalTime(),
                });
                await db.SaveChangesAsync(context.CancellationToken);
            }

            // (2)
            var isUnfinished = await GoAsync(await mine.SingleAsync(context.CancellationToken));
            await transaction.CommitAsync(CancellationToken.None);

            // (3)
            notification.Delivered();
            return isUnfinished;
        }

        async Task<bool> GoAsync(InboxState inbox)
        {
            var outbox = new OutboxConsumeContext<TDbContext, T>(context, options, services, db, inbox, time);
            await next.Send(outbox);
            await db.SaveChangesAsync(context.CancellationToken);
            return outbox.ContinueProcessing;
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("outboxContextFactory");
}
