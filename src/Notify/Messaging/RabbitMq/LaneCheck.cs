using System.Threading.Channels;
using Notify.Messaging.RabbitMq.Delays;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Before the bus starts: (1) reaches the broker, (2) waits for its turn, since workers that start together must not see each other's lanes half made, (3) counts the lanes
/// of each stage that the broker has, (4) where that is not the number set, refuses to start unless they are empty and idle, (5) deletes surplus ones, and (6) declares
/// the queues of the way, so that a kill of the broker is survived as soon as this worker is ready.
/// </summary>
/// <remarks>With the number of lanes, most keys change theirs: what still lies in the old one could be overtaken.</remarks>
internal sealed partial class LaneCheck(RabbitMqAddress address, Lanes lanes, TimeProvider time, ILogger<LaneCheck> logger) : IHostedService
{
    internal const int MostLanes = 256;

    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromSeconds(1);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // (1)
        await using var connection = await ConnectAsync(cancellationToken);
        try
        {
            await CheckAsync(connection, cancellationToken);
        }
        catch (Exception exception) when (exception is RabbitMQClientException or ChannelClosedException)
        {
            throw new BrokerRefusalException(address, (exception as OperationInterruptedException)?.ShutdownReason ?? connection.CloseReason);
        }
    }

    private async Task CheckAsync(IConnection connection, CancellationToken cancellationToken)
    {
        // (2)
        await using var turn = await QuorumQueues.TakeTurnAsync(connection, "notify-lane-check", time, cancellationToken);
        foreach (var (stage, count) in lanes.Counts)
        {
            // (3)
            var found = new List<QueueDeclareOk>();
            while (found.Count < MostLanes && await QuorumQueues.FindAsync(connection, Lanes.QueueOf(stage, found.Count), cancellationToken) is { } lane)
            {
                found.Add(lane);
            }

            // (4)
            if (found.Count > 0 && found.Count != count)
            {
                var (messages, workers) = (found.Sum(lane => lane.MessageCount), found.Max(lane => lane.ConsumerCount));
                if (messages > 0 || workers > 0)
                {
                    throw new LaneException(stage, found.Count, count, messages, workers);
                }

                LogChange(stage, found.Count, count);
            }

            // (5)
            await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
            for (var surplus = found.Count - 1; surplus >= count; surplus--)
            {
                await channel.ExchangeDeleteAsync(Lanes.QueueOf(stage, surplus), cancellationToken: cancellationToken);
                await channel.QueueDeleteAsync(Lanes.QueueOf(stage, surplus), cancellationToken: cancellationToken);
            }
        }

        // (6)
        await QuorumQueues.DeclareAsync(
            connection,
            [
                new(Queues.UserFanout, Lane.Arguments),
                .. lanes.Counts.SelectMany(stage => Enumerable.Range(0, stage.Value).Select(lane => new QuorumQueue(Lanes.QueueOf(stage.Key, lane), Lane.Arguments))),
                new(Queues.SubscriptionExpired, Lane.CompetingArguments),
                new(Queues.DeliveryLog, Lane.CompetingArguments),
                .. DelayQueues.Ahead.Select(DelayQueues.QueueOf),
            ],
            time,
            cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<IConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory { Uri = address.Nodes[0] };
        while (true)
        {
            try
            {
                return await factory.CreateConnectionAsync(address.Endpoints, cancellationToken);
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

    [LoggerMessage(LogLevel.Information, "The lanes of {Stage} are empty and nobody works on them: their number changes from {Found} to {Wanted}")]
    private partial void LogChange(string stage, int found, int wanted);
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
public sealed class LaneException(string stage, int found, int wanted, long messages, long workers) : InvalidOperationException(
    $"The broker has {found} lanes of {stage}, and {(stage == Queues.SubscriptionSend ? "Notify__Sending__Partitions" : "Notify__Fanout__Partitions")} is {wanted}; {messages} messages wait in them and {workers} workers consume from them. "
    + $"A change would break the order of pushes. Set it to {found}; or let the lanes run empty, stop every worker, and start them with {wanted}.");
