using System.Collections.Concurrent;
using MassTransit;
using MassTransit.Middleware;
using MassTransit.Middleware.Outbox;
using MassTransit.Serialization;
using Microsoft.EntityFrameworkCore;
using Notify.Store;

namespace Notify.Messaging.Outbox;

/// <summary>
/// Delivers what transactions have left in the outbox, those of consumers and others alike: (1) waits until something is there, (2) takes its turn among the processes that deliver, (3) sends the oldest messages,
/// those of one conversation one after the other, and (4) deletes what the broker has confirmed. A crash between the last two sends again, and so does a database that stays away.
/// </summary>
/// <remarks>A conversation is what MassTransit's <see cref="MessageContext.ConversationId"/> names.</remarks>
internal sealed partial class OutboxDelivery<TDbContext>(
    IServiceProvider services,
    IBusControl bus,
    IBusOutboxNotification notification,
    DeliveryTurns turns,
    TimeProvider time,
    ILogger<OutboxDelivery<TDbContext>> logger) : BackgroundService
    where TDbContext : DbContext
{
    // Messages of one turn, and how long the broker may take to confirm them; those that it has not by then are sent again in a later one.
    private const int MostInATurn = 100;
    private static readonly TimeSpan LongestTurn = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var outage = new StoreOutage(time, logger, waiting: "subscriptions cannot be changed or looked up, and what the outbox has is published when it is back");
        while (true)
        {
            try
            {
                // A bus of which one receive endpoint has failed is degraded, and sends as well as any.
                var held = new ConcurrentBag<Guid>();
                while (bus.CheckHealth().Status != BusHealthStatus.Unhealthy && await outage.WaitOutAsync(() => DeliverAsync(held, stoppingToken), stoppingToken))
                {
                }

                // (1)
                await notification.WaitForDelivery(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                LogFailed(exception);
                await Task.Delay(OutboxNotification.QueryDelay, time, stoppingToken);
            }
        }
    }

    /// <param name="held">Conversations of which a message could not be sent: the rest of them stays behind it. Those that come to it are added.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Whether there may be more to deliver.</returns>
    internal async Task<bool> DeliverAsync(ConcurrentBag<Guid> held, CancellationToken cancellationToken)
    {
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<TDbContext>();

        // Kept over tries: what was sent and could not be deleted is not sent again by the next.
        var sent = new ConcurrentBag<OutboxMessage>();
        return await db.Database.CreateExecutionStrategy().ExecuteAsync(
            async token =>
            {
                // (2)
                await using var turn = await turns.TakeAsync(db, token);
                if (turn is null)
                {
                    return false;
                }

                var behind = held.ToArray();
                var messages = await OldestOf(db, behind, MostInATurn).ToListAsync(token);

                // (3) Who loses the session that holds the turn does not know it: so there is an end to it, lest it go on for long beside the next.
                using var patience = new CancellationTokenSource(LongestTurn, time);
                var known = sent.Select(message => message.SequenceNumber).ToHashSet();
                await Task.WhenAll(messages
                    .Where(message => !known.Contains(message.SequenceNumber))
                    .GroupBy(message => message.ConversationId ?? message.MessageId)
                    .Select(conversation => SendInOrderAsync(conversation, sent, held, patience.Token, token)));

                // (4) What the broker has is deleted even where the host stops meanwhile.
                await DeleteAsync(db, [.. sent], CancellationToken.None);
                await turn.CompleteAsync();
                return messages.Count > 0;
            },
            cancellationToken);
    }

    /// <summary>What is sent next.</summary>
    /// <param name="db">The database.</param>
    /// <param name="behind">Conversations that are held back.</param>
    /// <param name="limit">Messages in one go.</param>
    internal static IQueryable<OutboxMessage> OldestOf(TDbContext db, Guid[] behind, int limit) => db.Set<OutboxMessage>().AsNoTracking()
        .Where(message => !behind.Contains(message.ConversationId ?? message.MessageId))
        .OrderBy(message => message.SequenceNumber)
        .Take(limit);

    private async Task SendInOrderAsync(
        IGrouping<Guid, OutboxMessage> conversation, ConcurrentBag<OutboxMessage> sent, ConcurrentBag<Guid> held, CancellationToken turn, CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(turn, stopping);
        try
        {
            foreach (var message in conversation)
            {
                either.Token.ThrowIfCancellationRequested();
                var endpoint = await bus.GetSendEndpoint(message.DestinationAddress!);
                await endpoint.Send(new SerializedMessageBody(), new OutboxMessageSendPipe(message, message.DestinationAddress), either.Token);
                sent.Add(message);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The rest is for whoever delivers next.
        }
        catch (Exception exception)
        {
            held.Add(conversation.Key);
            LogHeld(exception, conversation.Key);
        }
    }

    internal static async Task DeleteAsync(TDbContext db, IReadOnlyList<OutboxMessage> sent, CancellationToken cancellationToken)
    {
        var numbers = sent.Select(message => message.SequenceNumber).ToList();
        var outboxes = sent.Select(message => message.OutboxId).OfType<Guid>().Distinct().ToList();
        await db.Set<OutboxMessage>().Where(message => numbers.Contains(message.SequenceNumber)).ExecuteDeleteAsync(cancellationToken);

        // Others of their messages may be left for the next turn.
        await db.Set<OutboxState>().Where(state => outboxes.Contains(state.OutboxId) && !db.Set<OutboxMessage>().Any(message => message.OutboxId == state.OutboxId)).ExecuteDeleteAsync(cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning, "A turn of the outbox' delivery failed and is taken again; what it had sent may be sent twice")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(LogLevel.Warning, "A message of conversation {ConversationId} in the outbox was not sent or not confirmed in time; it is tried again, and what comes after it waits")]
    private partial void LogHeld(Exception exception, Guid conversationId);
}
