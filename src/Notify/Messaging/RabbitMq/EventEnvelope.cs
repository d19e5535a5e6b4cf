using System.Net.Mime;
using System.Text.Json.Nodes;
using MassTransit;
using MassTransit.Serialization;

namespace Notify.Messaging.RabbitMq;

/// <summary>Reads events in MassTransit's envelope, without the addresses that it may name for responses and faults: an event has no answer.</summary>
/// <remarks>An address that cannot be declared, such as that of an exchange of another type, closes the channel on which a fault would be sent there. The event would be delivered again, and the
/// next ones never.</remarks>
internal sealed class EventEnvelope : ISerializerFactory, IMessageDeserializer
{
    private readonly SystemTextJsonMessageSerializer _json = new();

    public ContentType ContentType => _json.ContentType;

    public ConsumeContext Deserialize(ReceiveContext receiveContext) =>
        new BodyConsumeContext(receiveContext, Deserialize(receiveContext.Body, receiveContext.TransportHeaders, receiveContext.InputAddress));

    public SerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress = null)
    {
        var context = _json.Deserialize(body, headers, destinationAddress);
        return context.ResponseAddress is null && context.FaultAddress is null ? context : _json.Deserialize(WithoutAddresses(body), headers, destinationAddress);
    }

    public MessageBody GetMessageBody(string text) => _json.GetMessageBody(text);

    public IMessageDeserializer CreateDeserializer() => this;

    public IMessageSerializer CreateSerializer() => _json;

    public void Probe(ProbeContext context) => _json.Probe(context);

    private static StringMessageBody WithoutAddresses(MessageBody body)
    {
        var options = SystemTextJsonMessageSerializer.Options;
        var envelope = JsonNode.Parse(
            body.GetBytes(),
            new JsonNodeOptions { PropertyNameCaseInsensitive = true },
            new() { AllowTrailingCommas = options.AllowTrailingCommas, CommentHandling = options.ReadCommentHandling })!.AsObject();
        envelope.Remove(nameof(MessageEnvelope.ResponseAddress));
        envelope.Remove(nameof(MessageEnvelope.FaultAddress));
        return new StringMessageBody(envelope.ToJsonString());
    }
}
