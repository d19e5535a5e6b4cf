using System.Runtime.CompilerServices;
using MassTransit.RabbitMqTransport;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Numbers the workers, the broker being the judge: a worker has number n while its connection holds the exclusive queue <c>notify-worker-n</c>. The lowest free number is
/// taken, and it is free again as soon as the connection is gone.
/// </summary>
internal sealed partial class WorkerNumbers(ILogger<WorkerNumbers> logger)
{
    private readonly ConditionalWeakTable<IConnection, Lazy<Task<int>>> _numbers = [];

    /// <summary>This worker's number on this connection.</summary>
    /// <returns>From 0; <see cref="LanePriorities.MostWorkers"/> if there are more workers than numbers.</returns>
    public async Task<int> OfAsync(ConnectionContext connection)
    {
        try
        {
            return await _numbers.GetValue(connection.Connection, _ => new(() => ClaimAsync(connection))).Value;
        }
        catch
        {
            // The next to ask tries again.
            _numbers.Remove(connection.Connection);
            throw;
        }
    }

    private async Task<int> ClaimAsync(ConnectionContext connection)
    {
        for (var number = 0; number < LanePriorities.MostWorkers; number++)
        {
            // A refusal closes the channel.
            await using var channel = await connection.CreateChannel(null, CancellationToken.None);
            try
            {
                await channel.QueueDeclareAsync($"notify-worker-{number}", durable: false, exclusive: true, autoDelete: false);
                LogNumber(number);
                return number;
            }
            catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == Constants.ResourceLocked)
            {
            }
        }

        return LanePriorities.MostWorkers;
    }

    [LoggerMessage(LogLevel.Information, "This is worker {Number} of those on the broker")]
    private partial void LogNumber(int number);
}
