using System.Diagnostics;
using System.Runtime.CompilerServices;
using MassTransit;
using MassTransit.Context;
using MassTransit.Logging;
using MassTransit.RabbitMqTransport;
using MassTransit.Serialization;
using Notify.Contracts;
using Notify.Deliveries;
using RabbitMQ.Client;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// On RabbitMQ: where nobody listens to acceptances they are not published, for the broker would throw away what a fifth of a push's work went into. Every so often one
/// is published with AMQP's mandatory flag, and comes back if no queue takes it.
/// </summary>
/// <remarks>
/// <para>Whoever begins to listen is found within <see cref="AskEvery"/>, as if their queue had been bound that much later.</para>
/// <para>The one that asks is published past MassTransit, which takes an event that comes back for an error, logs it, and has the push fail.</para>
/// </remarks>
internal sealed class ListenedAcceptanceEvents(TimeProvider time) : AcceptanceEvents
{
    /// <summary>How long the broker's word is believed.</summary>
    public static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(50);

    private static readonly SystemTextJsonMessageSerializer Serializer = new();

    private readonly ConditionalWeakTable<IConnection, Lazy<Task<IChannel>>> _channels = [];
    private readonly long _interval = (long)(AskEvery.TotalSeconds * time.TimestampFrequency);
    private long _askAt = long.MinValue;
    private volatile bool _isListenedTo = true;

    /// <inheritdoc />
    public override async Task PublishAsync(ConsumeContext context, PushAccepted accepted)
    {
        var (askAt, now) = (Volatile.Read(ref _askAt), time.GetTimestamp());
        if (now >= askAt && Interlocked.CompareExchange(ref _askAt, now + _interval, askAt) == askAt)
        {
            _isListenedTo = await AskAsync(context, accepted);
        }
        else if (_isListenedTo)
        {
            await base.PublishAsync(context, accepted);
        }
    }

    private async Task<bool> AskAsync(ConsumeContext context, PushAccepted accepted)
    {
        var exchange = context.ReceiveContext.GetPayload<ConnectionContext>().Topology.Message<PushAccepted>().EntityName;
        var send = new MessageSendContext<PushAccepted>(accepted, context.CancellationToken)
        {
            MessageId = NewId.NextGuid(),
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
            var channel = await ChannelAsync(context.ReceiveContext.GetPayload<ConnectionContext>().Connection, exchange);
            await channel.BasicPublishAsync(exchange, "", mandatory: true, properties, Serializer.GetMessageBody(send).GetBytes(), context.CancellationToken);
            return true;
        }
        catch (RabbitMQ.Client.Exceptions.PublishException exception) when (exception.IsReturn)
        {
            return false;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // MassTransit knows what to do about a channel that is lost.
            _channels.Remove(context.ReceiveContext.GetPayload<ConnectionContext>().Connection);
            await base.PublishAsync(context, accepted);
            return true;
        }
    }

    private Task<IChannel> ChannelAsync(IConnection connection, string exchange) => _channels.GetValue(connection, key => new Lazy<Task<IChannel>>(async () =>
    {
        var channel = await key.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));

        // As MassTransit does with the first event that it publishes.
        await channel.ExchangeDeclareAsync(exchange, ExchangeType.Fanout, durable: true, autoDelete: false);
        return channel;
    })).Value;
}
