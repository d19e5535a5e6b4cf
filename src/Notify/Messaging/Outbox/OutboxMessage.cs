using MassTransit;
using MassTransit.Context;
using MassTransit.Metadata;
using MassTransit.Middleware;
using MassTransit.Serialization;

namespace Notify.Messaging.Outbox;

/// <summary>A message that was sent together with a change of rows, and waits to be delivered to the bus.</summary>
/// <remarks>Table and columns are those of MassTransit.EntityFrameworkCore.</remarks>
public sealed class OutboxMessage : OutboxMessageContext
{
    private static readonly IObjectDeserializer Json = SystemTextJsonMessageSerializer.Instance;

    /// <summary>The key: messages are delivered in this order.</summary>
    public long SequenceNumber { get; init; }

    /// <summary>When the sender wanted it delivered, in UTC; null if at once. Not looked at: the bus is asked to hold messages back, not the outbox.</summary>
    public DateTime? EnqueueTime { get; init; }

    /// <summary>When it was sent, in UTC.</summary>
    public DateTime SentTime { get; init; }

    /// <summary>Headers, as a JSON object; null if there are none.</summary>
    public string? Headers { get; init; }

    /// <summary>What only the transport knows of, such as a routing key, as a JSON object; null if there is nothing.</summary>
    public string? Properties { get; init; }

    /// <summary>The message whose consumer sent this one; null outside a consumer.</summary>
    public Guid? InboxMessageId { get; init; }

    /// <summary>The consumer that sent this one; null outside a consumer.</summary>
    public Guid? InboxConsumerId { get; init; }

    /// <summary>The <see cref="OutboxState"/>; null inside a consumer.</summary>
    public Guid? OutboxId { get; init; }

    /// <inheritdoc />
    public Guid MessageId { get; init; }

    /// <inheritdoc />
    public required string ContentType { get; init; }

    /// <summary>The message's types, with semicolons between.</summary>
    public required string MessageType { get; init; }

    /// <inheritdoc />
    public required string Body { get; init; }

    /// <inheritdoc />
    public Guid? ConversationId { get; init; }

    /// <inheritdoc />
    public Guid? CorrelationId { get; init; }

    /// <inheritdoc />
    public Guid? InitiatorId { get; init; }

    /// <inheritdoc />
    public Guid? RequestId { get; init; }

    /// <inheritdoc />
    public Uri? SourceAddress { get; init; }

    /// <inheritdoc />
    public Uri? DestinationAddress { get; init; }

    /// <inheritdoc />
    public Uri? ResponseAddress { get; init; }

    /// <inheritdoc />
    public Uri? FaultAddress { get; init; }

    /// <inheritdoc />
    public DateTime? ExpirationTime { get; init; }

    Guid? MessageContext.MessageId => MessageId;

    DateTime? MessageContext.SentTime => SentTime;

    HostInfo MessageContext.Host => HostMetadataCache.Host;

    Headers MessageContext.Headers => Json.DeserializeDictionary<object?>(Headers) is { } headers ? new DictionarySendHeaders(headers) : EmptyHeaders.Instance;

    IReadOnlyDictionary<string, object> OutboxMessageContext.Properties => Json.DeserializeDictionary<object>(Properties) ?? [];

    /// <summary>The message that is about to be sent, as a row.</summary>
    /// <param name="context">What MassTransit would have given the transport.</param>
    /// <param name="now">The time.</param>
    /// <param name="inbox">The message that is consumed and its consumer; null outside a consumer.</param>
    /// <param name="outboxId">The <see cref="OutboxState"/>; null inside a consumer.</param>
    internal static OutboxMessage Of<T>(SendContext<T> context, DateTime now, (Guid MessageId, Guid ConsumerId)? inbox, Guid? outboxId)
        where T : class
    {
        // Else a routing key would be lost on the way.
        var properties = new Dictionary<string, object>(StringComparer.OrdinalIgnoreCase);
        (context as TransportSendContext<T>)?.WritePropertiesTo(properties);
        return new OutboxMessage
        {
            OutboxId = outboxId,
            InboxMessageId = inbox?.MessageId,
            InboxConsumerId = inbox?.ConsumerId,
            MessageId = context.MessageId ?? throw new MessageException(typeof(T), "A message needs a MessageId to go through the outbox."),
            ConversationId = context.ConversationId,
            CorrelationId = context.CorrelationId,
            InitiatorId = context.InitiatorId,
            RequestId = context.RequestId,
            SourceAddress = context.SourceAddress,
            DestinationAddress = context.DestinationAddress,
            ResponseAddress = context.ResponseAddress,
            FaultAddress = context.FaultAddress,
            SentTime = context.SentTime ?? now,
            EnqueueTime = now + context.Delay,
            ExpirationTime = now + context.TimeToLive,
            ContentType = (context.ContentType ?? context.Serialization.DefaultContentType).ToString(),
            MessageType = string.Join(';', context.SupportedMessageTypes),
            Body = context.Serializer.GetMessageBody(context).GetString(),
            Headers = Json.SerializeDictionary(context.Headers.GetAll()),
            Properties = properties.Count == 0 ? null : Json.SerializeDictionary(properties),
        };
    }
}
