using System.Net.Mime;
using System.Runtime.Serialization;
using System.Text.Json;
using MassTransit;
using MassTransit.Serialization;
using Notify.Fanout;

namespace Notify.Messaging.RabbitMq;

/// <summary>Reads events from publishers that are no MassTransit: content type <c>application/json</c>, the event alone. The consumer checks it.</summary>
internal sealed class PlainJson : ISerializerFactory, IMessageDeserializer
{
    private readonly SystemTextJsonRawMessageSerializer _json = new(RawSerializerOptions.AnyMessageType);
    private readonly JsonSerializerOptions _options = MessagePostedConverter.AddedTo(SystemTextJsonMessageSerializer.Options);

    public ContentType ContentType => _json.ContentType;

    public ConsumeContext Deserialize(ReceiveContext receiveContext) =>
        new BodyConsumeContext(receiveContext, Deserialize(receiveContext.Body, receiveContext.TransportHeaders, receiveContext.InputAddress));

    /// <exception cref="SerializationException">The body is no JSON, or null. One that is no event becomes a JsonException where it is read.</exception>
    public SerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress = null)
    {
        // As MassTransit does it, but for what it reads from the headers.
        try
        {
            var message = JsonSerializer.Deserialize<JsonElement>(body.GetBytes(), _options);
            return message.ValueKind == JsonValueKind.Null
                ? throw new SerializationException("The body must be MessagePosted as JSON, not null.")
                : new SystemTextJsonRawSerializerContext(SystemTextJsonMessageSerializer.Instance, _options, ContentType, new EventContext(headers, destinationAddress), [], RawSerializerOptions.AnyMessageType, message);
        }
        catch (JsonException exception)
        {
            throw new SerializationException($"The body cannot be read as JSON: {exception.Message}", exception);
        }
    }

    public MessageBody GetMessageBody(string text) => _json.GetMessageBody(text);

    public IMessageDeserializer CreateDeserializer() => this;

    public IMessageSerializer CreateSerializer() => _json;

    public void Probe(ProbeContext context) => _json.Probe(context);

    /// <summary>An event has no answer (see <see cref="EventEnvelope"/>), and plain JSON no time: MassTransit takes any message id for one of its own, and reads a time in any century out of it.</summary>
    private sealed class EventContext(Headers headers, Uri? destinationAddress) : RawMessageContext(headers, destinationAddress, RawSerializerOptions.AnyMessageType), MessageContext
    {
        Uri? MessageContext.ResponseAddress => null;

        Uri? MessageContext.FaultAddress => null;

        DateTime? MessageContext.SentTime => null;
    }
}
