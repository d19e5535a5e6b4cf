using System.Net.Mime;
using System.Runtime.Serialization;
using System.Text.Json;
using MassTransit;
using MassTransit.Serialization;
using Notify.Fanout;

namespace Notify.Messaging.RabbitMq;

/// <summary>Reads events in MassTransit's envelope, without what would get in the way of the event: the addresses that it may name for responses and faults, since an event has no answer, and ids that are none.</summary>
/// <remarks>An address that cannot be declared, such as that of an exchange of another type, closes the channel on which a fault would be sent there. The event would be delivered again, and the
/// next ones never.</remarks>
internal sealed class EventEnvelope : ISerializerFactory, IMessageDeserializer
{
    private readonly SystemTextJsonMessageSerializer _json = new();
    private readonly JsonSerializerOptions _options = MessagePostedConverter.AddedTo(SystemTextJsonMessageSerializer.Options);

    public ContentType ContentType => _json.ContentType;

    public ConsumeContext Deserialize(ReceiveContext receiveContext) =>
        new BodyConsumeContext(receiveContext, Deserialize(receiveContext.Body, receiveContext.TransportHeaders, receiveContext.InputAddress));

    /// <exception cref="SerializationException">The body is no envelope, or too large.</exception>
    public SerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress = null)
    {
        // As MassTransit does it, but for the addresses.
        try
        {
            var envelope = JsonSerializer.Deserialize<JsonElement>(body.GetEventBytes(), _options).Deserialize<JsonMessageEnvelope>(_options);
            if (envelope?.Message is null)
            {
                throw new SerializationException("The body must be an event in MassTransit's envelope, or the event alone with the content type application/json.");
            }

            (envelope.ResponseAddress, envelope.FaultAddress) = (null, null);

            // MassTransit would stumble over one that is none when the event has been fanned out.
            (envelope.MessageId, envelope.CorrelationId, envelope.ConversationId) = (IdOrNull(envelope.MessageId), IdOrNull(envelope.CorrelationId), IdOrNull(envelope.ConversationId));
            (envelope.RequestId, envelope.InitiatorId) = (IdOrNull(envelope.RequestId), IdOrNull(envelope.InitiatorId));
            return new SystemTextJsonSerializerContext(_json, _options, ContentType, new EnvelopeMessageContext(envelope, _json), envelope.MessageType ?? [], envelope);
        }
        catch (JsonException exception)
        {
            throw new SerializationException($"The body cannot be read as MassTransit's envelope: {exception.Message}", exception);
        }
    }

    public MessageBody GetMessageBody(string text) => _json.GetMessageBody(text);

    public IMessageDeserializer CreateDeserializer() => this;

    public IMessageSerializer CreateSerializer() => _json;

    public void Probe(ProbeContext context) => _json.Probe(context);

    private static string? IdOrNull(string? id) => Guid.TryParse(id, out _) ? id : null;
}
