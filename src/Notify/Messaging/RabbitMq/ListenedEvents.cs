using System.Diagnostics;
using MassTransit;
using MassTransit.Context;
using MassTransit.Logging;
using MassTransit.RabbitMqTransport;
using MassTransit.Serialization;
using RabbitMQ.Client;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// On RabbitMQ: where nobody listens to such an event it is not published, for the broker would throw away what much work goes into, of acceptances a sixth of all. Every so often one
/// is published with AMQP's mandatory flag, and comes back if no queue takes it.
/// </summary>
/// <remarks>
/// <para>Whoever begins to listen is found within <see cref="Listeners.BelievedFor"/>, or <see cref="Listeners.BelievedMeanwhile"/> where the broker is slow to answer, as if their queue had been bound that
/// much later.</para>
/// <para>The one that asks is published past MassTransit, which takes an event that comes back for an error, logs it, and has the push fail.</para>
/// </remarks>
internal sealed class ListenedEvents<T>(TimeProvider time) : IAsyncDisposable
    where T : class
{
    private static readonly SystemTextJsonMessageSerializer Serializer = new();

    private readonly Listeners _listeners = new(time);
    private IConnection? _connection;
    private IChannel? _channel;

    /// <summary>Returns when the bus has it, or nobody listens.</summary>
    public async Task PublishAsync(ConsumeContext context, T message)
    {
        if (await _listeners.MayHearAsync(() => AskAsync(context, message)))
        {
            await context.Publish(message, context.CancellationToken);
        }
    }

    public async ValueTask DisposeAsync() => await ForgetChannelAsync();

    private async Task<bool> AskAsync(ConsumeContext context, T message)
    {
        var connection = context.ReceiveContext.GetPayload<ConnectionContext>();
        var exchange = connection.Topology.Message<T>().EntityName;
        var send = new MessageSendContext<T>(message, context.CancellationToken)
        {
            ConversationId = context.ConversationId,
            InitiatorId = context.CorrelationId,
            SourceAddress = context.ReceiveContext.InputAddress,
        };
        if (Activity.Current is { } activity)
        {
            send.Headers.Set(DiagnosticHeaders.ActivityId, activity.Id);
        }

        var properties = new BasicProperties
        {
            ContentType = Serializer.ContentType.ToString(),
            MessageId = $"{send.MessageId}",
            Persistent = true,
            Headers = send.Headers.GetAll().ToDictionary(header => header.Key, header => (object?)$"{header.Value}"),
        };
        try
        {
            var channel = await ChannelAsync(connection.Connection, exchange, context.CancellationToken);
            await channel.BasicPublishAsync(exchange, "", mandatory: true, properties, Serializer.GetMessageBody(send).GetBytes(), context.CancellationToken);
            return true;
        }
        catch (RabbitMQ.Client.Exceptions.PublishException exception) when (exception.IsReturn)
        {
            return false;
        }
        catch (Exception exception) when (!context.CancellationToken.IsCancellationRequested)
        {
            if (exception is not RabbitMQ.Client.Exceptions.PublishException)
            {
                await ForgetChannelAsync();
            }

            // MassTransit knows what to do about it.
            await context.Publish(message, context.CancellationToken);
            return true;
        }
    }

    private async Task<IChannel> ChannelAsync(IConnection connection, string exchange, CancellationToken cancellationToken)
    {
        if (_channel is { IsOpen: true } && _connection == connection)
        {
            return _channel;
        }

        await ForgetChannelAsync();
        _connection = connection;
        _channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), cancellationToken);

        // As MassTransit does with the first event that it publishes.
        await _channel.ExchangeDeclareAsync(exchange, ExchangeType.Fanout, durable: true, autoDelete: false, cancellationToken: cancellationToken);
        return _channel;
    }

    private async Task ForgetChannelAsync()
    {
        if (Interlocked.Exchange(ref _channel, null) is { } channel)
        {
            await channel.DisposeAsync().AsTask().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
