using System.Net.Mime;
using System.Runtime.Serialization;
using System.Text.Json;
using MassTransit;
using MassTransit.Serialization;

namespace Notify.Messaging.RabbitMq;

/// <summary>Reads events from publishers that are no MassTransit: content type <c>application/json</c>, the event alone. The consumer checks it. For the addresses that are left out see <see cref="EventEnvelope"/>.</summary>
internal sealed class PlainJson : ISerializerFactory, IMessageDeserializer
{
    private readonly SystemTextJsonRawMessageSerializer _json = new(RawSerializerOptions.AnyMessageType);

    public ContentType ContentType => _json.ContentType;

    public ConsumeContext Deserialize(ReceiveContext receiveContext) =>
        new BodyConsumeContext(receiveContext, Deserialize(receiveContext.Body, receiveContext.TransportHeaders, receiveContext.InputAddress));

    /// <exception cref="SerializationException">The body is no JSON, or null. One that is no event becomes a JsonException where it is read.</exception>
    public SerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress = null)
    {
        var context = _json.Deserialize(body, WithoutAddresses(headers), destinationAddress);

        // Of null MassTransit says no more than that an operation is not valid.
        return IsNull(body.GetBytes()) ? throw new SerializationException("The body must be MessagePosted as JSON, not null.") : context;
    }

    public MessageBody GetMessageBody(string text) => _json.GetMessageBody(text);

    public IMessageDeserializer CreateDeserializer() => this;

    public IMessageSerializer CreateSerializer() => _json;

    public void Probe(ProbeContext context) => _json.Probe(context);

    // As those of an envelope. What a publisher sets as a property and as a header comes twice.
    private static Headers WithoutAddresses(Headers headers)
    {
        if (!headers.TryGetHeader(MessageHeaders.FaultAddress, out _) && !headers.TryGetHeader(MessageHeaders.ResponseAddress, out _))
        {
            return headers;
        }

        var others = new DictionarySendHeaders();
        foreach (var (name, value) in headers.GetAll())
        {
            others.Set(name, value);
        }

        others.Set(MessageHeaders.FaultAddress, null);
        others.Set(MessageHeaders.ResponseAddress, null);
        return others;
    }

    private static bool IsNull(byte[] json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { CommentHandling = SystemTextJsonMessageSerializer.Options.ReadCommentHandling });
        return json.Length > 0 && reader.Read() && reader.TokenType == JsonTokenType.Null;
    }
}
