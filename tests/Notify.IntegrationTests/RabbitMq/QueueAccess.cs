using System.Text;
using Notify.Messaging.RabbitMq;
using RabbitMQ.Client;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>Reaches into queues past the service.</summary>
internal static class QueueAccess
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static Task<IConnection> ConnectAsync(Uri broker) => new ConnectionFactory { Uri = broker }.CreateConnectionAsync(Cancellation);

    /// <summary>Declares a queue as MassTransit declares one that is to last.</summary>
    public static async Task DeclareAsync(this IConnection connection, params string[] queues)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancellation);
        foreach (var queue in queues)
        {
            await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?> { ["x-queue-type"] = "quorum", ["x-delivery-limit"] = 1_000_000 }, cancellationToken: Cancellation);
        }
    }

    /// <summary>Publishes in this order; returns when all are confirmed.</summary>
    public static async Task PublishAsync(this IConnection connection, string exchange, string routingKey, params IEnumerable<(string Body, BasicProperties Properties)> messages)
    {
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), Cancellation);
        foreach (var (body, properties) in messages)
        {
            await channel.BasicPublishAsync(exchange, routingKey, mandatory: true, properties, Encoding.UTF8.GetBytes(body), Cancellation);
        }
    }

    /// <summary>Messages that are ready; none where there is no such queue.</summary>
    public static async Task<uint> CountAsync(this IConnection connection, string queue) => (await QuorumQueues.FindAsync(connection, queue, Cancellation))?.MessageCount ?? 0;

    /// <summary>Takes what is ready out of a queue.</summary>
    public static async Task<List<BasicGetResult>> TakeAllAsync(this IConnection connection, string queue)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancellation);
        var messages = new List<BasicGetResult>();
        while (await channel.BasicGetAsync(queue, autoAck: true, Cancellation) is { } message)
        {
            messages.Add(message);
        }

        return messages;
    }

    /// <summary>A message in MassTransit's envelope that has failed for this reason.</summary>
    public static BasicProperties Failed(string reason) => new()
    {
        ContentType = "application/vnd.masstransit+json",
        Persistent = true,
        Headers = new Dictionary<string, object?> { ["MT-Reason"] = "fault", ["MT-Fault-Message"] = reason, ["MT-Fault-StackTrace"] = "   at Notify", ["MT-Fault-RetryCount"] = 5 },
    };
}
