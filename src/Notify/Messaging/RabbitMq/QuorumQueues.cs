using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>A quorum queue, with an exchange of its name before it.</summary>
/// <param name="Name">The name of both.</param>
/// <param name="Arguments">What the queue is declared with.</param>
internal sealed record QuorumQueue(string Name, IDictionary<string, object?> Arguments);

/// <summary>
/// Declares quorum queues such that each survives a kill of the broker from its first message on. The broker writes down the existence of a quorum queue up to a second
/// after it has confirmed it; killed before, it comes back with a queue that takes messages and confirms none, for ever.
/// </summary>
/// <remarks>A queue gets its exchange only when it is on disk. So one without an exchange is what a kill or the end of a worker left behind: unless somebody uses it, it is made anew.</remarks>
internal static class QuorumQueues
{
    private const string Turn = "notify-declares-queues";

    private static readonly TimeSpan OnDiskAfter = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan TryAgainAfter = TimeSpan.FromMilliseconds(250);

    /// <summary>Declares those that are not there yet; takes two seconds if there are any.</summary>
    public static async Task DeclareAsync(IConnection connection, IReadOnlyCollection<QuorumQueue> queues, TimeProvider time, CancellationToken cancellationToken = default)
    {
        if ((await MissingAsync(connection, queues, cancellationToken)).Count == 0)
        {
            return;
        }

        await using var turn = await TakeTurnAsync(connection, Turn, time, cancellationToken);

        // Another may have made them meanwhile.
        var missing = await MissingAsync(connection, queues, cancellationToken);
        if (missing.Count == 0)
        {
            return;
        }

        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        foreach (var queue in missing)
        {
            if (await FindAsync(connection, queue.Name, cancellationToken) is { MessageCount: 0, ConsumerCount: 0 })
            {
                await channel.QueueDeleteAsync(queue.Name, cancellationToken: cancellationToken);
            }

            // One that outlived its queue would make the new one seem to be on disk.
            await channel.ExchangeDeleteAsync(queue.Name, cancellationToken: cancellationToken);
            await channel.QueueDeclareAsync(queue.Name, durable: true, exclusive: false, autoDelete: false, queue.Arguments, cancellationToken: cancellationToken);
        }

        await Task.Delay(OnDiskAfter, time, cancellationToken);
        foreach (var queue in missing)
        {
            await channel.ExchangeDeclareAsync(queue.Name, ExchangeType.Fanout, durable: true, autoDelete: false, cancellationToken: cancellationToken);
            await channel.QueueBindAsync(queue.Name, queue.Name, "", cancellationToken: cancellationToken);
        }
    }

    /// <summary>Waits until no other connection has this turn; dispose of it to let the next one have it. It ends with the connection at the latest.</summary>
    /// <param name="connection">To the broker.</param>
    /// <param name="name">The turn's.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="waits">Is told, once, if another has it.</param>
    public static async Task<IAsyncDisposable> TakeTurnAsync(IConnection connection, string name, TimeProvider time, CancellationToken cancellationToken, Action? waits = null)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            // A refusal closes the channel.
            var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
            try
            {
                // The broker lets one connection have it.
                await channel.QueueDeclareAsync(name, durable: false, exclusive: true, autoDelete: false, cancellationToken: cancellationToken);
                return new TurnTaken(channel, name);
            }
            catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.ResourceLocked)
            {
                await channel.DisposeAsync();
                if (isFirst)
                {
                    waits?.Invoke();
                }
            }
            catch
            {
                await channel.DisposeAsync();
                throw;
            }

            await Task.Delay(TryAgainAfter, time, cancellationToken);
        }
    }

    /// <summary>What the broker says of a queue; null if it has none of that name.</summary>
    public static async Task<QueueDeclareOk?> FindAsync(IConnection connection, string queue, CancellationToken cancellationToken)
    {
        // A question after a queue that is not there closes the channel.
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            return await channel.QueueDeclarePassiveAsync(queue, cancellationToken);
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.NotFound)
        {
            return null;
        }
    }

    private static async Task<List<QuorumQueue>> MissingAsync(IConnection connection, IReadOnlyCollection<QuorumQueue> queues, CancellationToken cancellationToken)
    {
        var missing = new List<QuorumQueue>();
        var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            foreach (var queue in queues)
            {
                try
                {
                    // Where both are there, bound or not yet, this changes nothing or mends it.
                    await channel.QueueBindAsync(queue.Name, queue.Name, "", cancellationToken: cancellationToken);
                }
                catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.NotFound)
                {
                    missing.Add(queue);
                    await channel.DisposeAsync();
                    channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
                }
            }
        }
        finally
        {
            await channel.DisposeAsync();
        }

        return missing;
    }

    private sealed class TurnTaken(IChannel channel, string name) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            try
            {
                await channel.QueueDeleteAsync(name);
            }
            catch (OperationInterruptedException)
            {
                // The connection is lost, and the turn with it.
            }

            await channel.DisposeAsync();
        }
    }
}
