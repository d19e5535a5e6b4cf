using System.Threading.Channels;
using Notify.Messaging.RabbitMq.Delays;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Before the bus starts: (1) reaches the broker, (2) waits for its turn, since workers that start together must not see each other's lanes half made, (3) counts the lanes
/// of each stage that the broker has, (4) where that is not the number set, refuses to start unless they are empty and idle, (5) deletes surplus ones, and (6) declares
/// the queues of the way, so that a kill of the broker is survived as soon as this worker is ready. Once the bus consumes from its lanes, or cannot begin to, (7) the next worker has its turn.
/// </summary>
/// <remarks>With the number of lanes, most keys change theirs: what still lies in the old one could be overtaken.</remarks>
internal sealed partial class LaneCheck(RabbitMqAddress address, Lanes lanes, TimeProvider time, ILogger<LaneCheck> logger) : IHostedLifecycleService, IAsyncDisposable
{
    internal const int MostLanes = 256;

    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromSeconds(1);

    // The workers of a broker that has just come back try to reach it every second.
    internal static readonly TimeSpan ReconnectedAfter = TimeSpan.FromSeconds(5);

    // A bus may take for ever to start, as where a queue has no leader.
    internal static readonly TimeSpan LongestTurn = TimeSpan.FromSeconds(30);

    private IConnection? _connection;
    private IAsyncDisposable? _turn;
    private ITimer? _end;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // (1)
        _connection = await ConnectAsync(cancellationToken);
        try
        {
            await CheckAsync(_connection, cancellationToken);
            _end = time.CreateTimer(_ => _ = DisposeAsync().AsTask(), null, LongestTurn, Timeout.InfiniteTimeSpan);
        }
        catch (Exception exception)
        {
            var reason = (exception as OperationInterruptedException)?.ShutdownReason ?? _connection.CloseReason;
            await DisposeAsync();
            if (exception is RabbitMQClientException or ChannelClosedException)
            {
                throw new BrokerRefusalException(address, reason);
            }

            throw;
        }
    }

    public async Task StartedAsync(CancellationToken cancellationToken) => await DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        // (7)
        if (Interlocked.Exchange(ref _end, null) is { } end)
        {
            await end.DisposeAsync();
        }

        if (Interlocked.Exchange(ref _turn, null) is { } turn)
        {
            await turn.DisposeAsync();
        }

        if (Interlocked.Exchange(ref _connection, null) is { } connection)
        {
            await connection.DisposeAsync();
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task CheckAsync(IConnection connection, CancellationToken cancellationToken)
    {
        // (2)
        _turn = await QuorumQueues.TakeTurnAsync(connection, "notify-lane-check", time, cancellationToken, LogWaits);
        foreach (var (stage, count) in lanes.Counts)
        {
            // (3)
            var found = await FindAsync(connection, stage, cancellationToken);

            // (4)
            if (found.Count > 0 && found.Count != count)
            {
                await ThrowIfInUseAsync(connection, stage, found, count, cancellationToken);
                await Task.Delay(ReconnectedAfter, time, cancellationToken);
                await ThrowIfInUseAsync(connection, stage, await FindAsync(connection, stage, cancellationToken), count, cancellationToken);
                LogChange(stage, found.Count, count);
            }

            lanes.AreNew |= stage == Queues.SubscriptionSend && found.Count == 0;

            // (5)
            await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
            for (var surplus = found.Count - 1; surplus >= count; surplus--)
            {
                await channel.ExchangeDeleteAsync(Lanes.QueueOf(stage, surplus), cancellationToken: cancellationToken);
                await channel.QueueDeleteAsync(Lanes.QueueOf(stage, surplus), cancellationToken: cancellationToken);
                foreach (var error in (await ErrorQueueReplay.FindAsync(connection, [Lanes.QueueOf(stage, surplus)], lanes.Counts, cancellationToken)).Where(error => error.Count > 0))
                {
                    LogErrorsLeft(error.Name, error.Count);
                }
            }
        }

        // (6)
        await QuorumQueues.DeclareAsync(
            connection,
            [
                new(Queues.UserFanout, Lane.Arguments),
                .. lanes.All.Select(lane => new QuorumQueue(lane, Lane.Arguments)),
                new(Queues.SubscriptionExpired, Lane.CompetingArguments),
                new(Queues.DeliveryLog, Lane.CompetingArguments),
                .. DelayQueues.Ahead.Select(DelayQueues.QueueOf),
            ],
            time,
            cancellationToken);
    }

    /// <summary>The lanes of a stage that a broker has.</summary>
    internal static async Task<List<QueueDeclareOk>> FindAsync(IConnection connection, string stage, CancellationToken cancellationToken)
    {
        var found = new List<QueueDeclareOk>();
        while (found.Count < MostLanes && await QuorumQueues.FindAsync(connection, Lanes.QueueOf(stage, found.Count), cancellationToken) is { } lane)
        {
            found.Add(lane);
        }

        return found;
    }

    private static async Task ThrowIfInUseAsync(IConnection connection, string stage, List<QueueDeclareOk> found, int wanted, CancellationToken cancellationToken)
    {
        // What is held back goes to the lane that it came from.
        long heldBack = 0;
        foreach (var (queue, _) in QueueDepths.Delays)
        {
            heldBack += (await QuorumQueues.FindAsync(connection, queue, cancellationToken))?.MessageCount ?? 0;
        }

        var (messages, workers) = (found.Sum(lane => lane.MessageCount), found.Select(lane => lane.ConsumerCount).DefaultIfEmpty().Max());
        if (messages > 0 || heldBack > 0 || workers > 0)
        {
            throw new LaneException(stage, found.Count, wanted, messages, heldBack, workers);
        }
    }

    private async Task<IConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await address.ConnectAsync(cancellationToken);
            }
            catch (BrokerUnreachableException exception) when (exception.InnerException is AuthenticationFailureException refusal)
            {
                throw new BrokerRefusalException(address, new ShutdownEventArgs(ShutdownInitiator.Peer, Constants.AccessRefused, refusal.Message));
            }
            catch (BrokerUnreachableException exception) when (exception.InnerException is OperationInterruptedException { ShutdownReason: { } reason } && BrokerRefusalException.IsOfRights(reason))
            {
                throw new BrokerRefusalException(address, reason);
            }
            catch (BrokerUnreachableException exception)
            {
                LogUnreachable(address, exception.InnerException?.Message ?? exception.Message);
                await Task.Delay(TryAgainAfter, time, cancellationToken);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "RabbitMQ cannot be reached at {Address} ({Reason}); it is tried again every second")]
    private partial void LogUnreachable(RabbitMqAddress address, string reason);

    [LoggerMessage(LogLevel.Information, "Another worker starts; this one looks at the lanes after it")]
    private partial void LogWaits();

    [LoggerMessage(LogLevel.Information, "The lanes of {Stage} are empty and nobody works on them: their number changes from {Found} to {Wanted}")]
    private partial void LogChange(string stage, int found, int wanted);

    [LoggerMessage(LogLevel.Warning, "The lane of {ErrorQueue} is gone, and {Count} messages are in it: 'replay --queue {ErrorQueue}' takes them to the lanes that there are")]
    private partial void LogErrorsLeft(string errorQueue, int count);
}

/// <summary>The broker was reached, and does not let this worker do what it must.</summary>
internal sealed class BrokerRefusalException(RabbitMqAddress address, ShutdownEventArgs? reason) : InvalidOperationException(
    $"RabbitMQ at {address} does not let the worker start: {(reason?.ReplyText is { Length: > 0 } said ? said.TrimEnd('.') : "it closed the connection")}."
    + (reason is null || IsOfRights(reason) ? " ConnectionStrings__RabbitMq must name a virtual host that is there, with a user who has the rights to configure, write and read all of it." : ""))
{
    /// <summary>Whether user, virtual host or rights are at fault, rather than what the broker has or is doing.</summary>
    public static bool IsOfRights(ShutdownEventArgs reason) => reason.ReplyCode is Constants.AccessRefused or Constants.NotAllowed;
}

/// <summary>The broker has another number of lanes than this worker is set to, and they cannot be changed now.</summary>
public sealed class LaneException(string stage, int found, int wanted, long messages, long heldBack, long workers) : InvalidOperationException(
    $"The broker has {found} lanes of {stage}, and {(stage == Queues.SubscriptionSend ? "Notify__Sending__Partitions" : "Notify__Fanout__Partitions")} is {wanted}; {messages} messages wait in them, {heldBack} are held back in the delay- queues, and {workers} workers consume from them. "
    + $"A change would break the order of pushes. Set it to {found}; or let the lanes and the delay- queues run empty, stop every worker, and start them with {wanted}.");
