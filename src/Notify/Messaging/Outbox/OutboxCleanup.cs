using Microsoft.EntityFrameworkCore;

namespace Notify.Messaging.Outbox;

/// <summary>Deletes what the inbox need not know any more, and what a crash has left of an outbox whose messages are delivered.</summary>
internal sealed partial class OutboxCleanup<TDbContext>(IServiceProvider services, TimeProvider time, ILogger<OutboxCleanup<TDbContext>> logger) : BackgroundService
    where TDbContext : DbContext
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    // How long a consumed message is known by its id.
    private static readonly TimeSpan DuplicateDetectionWindow = TimeSpan.FromMinutes(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await CleanUpAsync(stoppingToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                LogFailed(exception);
            }
        }
    }

    internal async Task CleanUpAsync(CancellationToken cancellationToken)
    {
        await using var scope = services.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<TDbContext>();
        var before = time.GetUtcNow().UtcDateTime - DuplicateDetectionWindow;

        // Consumed and never delivered are those that MassTransit.EntityFrameworkCore has left half done.
        await db.Set<InboxState>()
            .Where(state => state.Delivered < before || (state.Delivered == null && state.Consumed < before))
            .Where(state => !db.Set<OutboxMessage>().Any(message => message.InboxMessageId == state.MessageId && message.InboxConsumerId == state.ConsumerId))
            .ExecuteDeleteAsync(cancellationToken);
        await db.Set<OutboxState>().Where(state => state.Created < before && !db.Set<OutboxMessage>().Any(message => message.OutboxId == state.OutboxId)).ExecuteDeleteAsync(cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning, "Inbox and outbox could not be cleaned up; it is tried again in a minute")]
    private partial void LogFailed(Exception exception);
}
