using Notify.Messaging.RabbitMq.Delays;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>Asks the broker how much lies in Notify's queues, over the bus's own protocol: no management plugin, and no right beyond those that a worker has.</summary>
internal sealed class QueueDepths(RabbitMqAddress address, Lanes lanes, TimeProvider time) : IAsyncDisposable
{
    // Of a queue that is not there, the question costs a channel, and a line in the broker's log.
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMinutes(2);

    private readonly Dictionary<string, DateTimeOffset> _missing = [];
    private readonly SemaphoreSlim _turn = new(1);
    private IConnection? _connection;
    private IChannel? _channel;

    /// <summary>The queues of the way that there are.</summary>
    public IEnumerable<string> Way => [.. Queues.WithoutLanes, .. lanes.All];

    /// <summary>Messages ready and consumers of each of these queues that there is.</summary>
    /// <exception cref="BrokerUnreachableException">The broker is away.</exception>
    public async Task<IReadOnlyList<QueueDeclareOk>> FindAsync(IEnumerable<string> queues, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            var found = new List<QueueDeclareOk>();
            foreach (var queue in queues)
            {
                if (_missing.TryGetValue(queue, out var since) && time.GetUtcNow() - since < LookAgainAfter)
                {
                    continue;
                }

                try
                {
                    found.Add(await (await ChannelAsync(cancellationToken)).QueueDeclarePassiveAsync(queue, cancellationToken));
                    _missing.Remove(queue);
                }
                catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.NotFound)
                {
                    _missing[queue] = time.GetUtcNow();
                }
            }

            return found;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The queues that hold messages back, with how long each does.</summary>
    public static IEnumerable<(string Queue, TimeSpan Delay)> Delays => DelayQueues.Rungs.Select(rung => (DelayQueues.NameOf(rung), rung));

    /// <summary>Lets go of the connection, until somebody asks again.</summary>
    public async ValueTask CloseAsync()
    {
        await _turn.WaitAsync();
        try
        {
            if (_connection is not null)
            {
                await _connection.DisposeAsync();
            }

            (_connection, _channel) = (null, null);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _turn.Dispose();
    }

    private async ValueTask<IChannel> ChannelAsync(CancellationToken cancellationToken)
    {
        if (_channel is { IsOpen: true })
        {
            return _channel;
        }

        if (_channel is not null)
        {
            await _channel.DisposeAsync();
            _channel = null;
        }

        if (_connection is not { IsOpen: true })
        {
            if (_connection is not null)
            {
                await _connection.DisposeAsync();
            }

            _connection = await address.ConnectAsync(cancellationToken, "notify-dashboard");
        }

        return _channel = await _connection.CreateChannelAsync(cancellationToken: cancellationToken);
    }
}
