using System.Net.Mime;
using System.Runtime.Serialization;
using System.Text.Json;
using MassTransit;
using MassTransit.Serialization;
using Notify.Fanout;
using RabbitMQ.Client;
using Headers = MassTransit.Headers;

namespace Notify.Messaging.RabbitMq;

/// <summary>Reads events from publishers that are no MassTransit: content type <c>application/json</c>, the event alone. The consumer checks it.</summary>
internal sealed class PlainJson : ISerializerFactory, IMessageDeserializer
{
    private readonly SystemTextJsonRawMessageSerializer _json = new(RawSerializerOptions.AnyMessageType);
    private readonly JsonSerializerOptions _options = MessagePostedConverter.AddedTo(SystemTextJsonMessageSerializer.Options);

    public ContentType ContentType => _json.ContentType;

    public ConsumeContext Deserialize(ReceiveContext receiveContext)
    {
        var sent = receiveContext.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivery) ? SentTime(delivery.Properties) : null;
        return new BodyConsumeContext(receiveContext, Deserialize(receiveContext.Body, receiveContext.TransportHeaders, receiveContext.InputAddress, sent));
    }

    /// <exception cref="SerializationException">The body is no JSON, or null, or too large. One that is no event becomes a JsonException where it is read.</exception>
    public SerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress = null) => Deserialize(body, headers, destinationAddress, sent: null);

    private SystemTextJsonRawSerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress, DateTime? sent)
    {
        // As MassTransit does it, but for what it reads from the headers.
        try
        {
            var message = JsonSerializer.Deserialize<JsonElement>(body.GetEventBytes(), _options);
            return message.ValueKind == JsonValueKind.Null
                ? throw new SerializationException("The body must be MessagePosted as JSON, not null.")
                : new SystemTextJsonRawSerializerContext(SystemTextJsonMessageSerializer.Instance, _options, ContentType, new EventContext(headers, destinationAddress, sent), [], RawSerializerOptions.AnyMessageType, message);
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

    /// <summary>When a message was published at the latest: the broker's milliseconds where it notes them, else the end of the second that AMQP's <c>timestamp</c> names; null if neither is there, or is a time.</summary>
    internal static DateTime? SentTime(IReadOnlyBasicProperties properties) =>
        (properties.Headers is { } headers && headers.TryGetValue("timestamp_in_ms", out var header) && header is long milliseconds ? After1970(milliseconds, TimeSpan.TicksPerMillisecond) : null)
        ?? (properties.IsTimestampPresent() && properties.Timestamp.UnixTime is > 0 and < long.MaxValue and var second ? After1970(second + 1, TimeSpan.TicksPerSecond) : null);

    // Some publishers write milliseconds where seconds belong, and such seconds no DateTime holds.
    private static DateTime? After1970(long count, long ticks) =>
        count > 0 && count <= (DateTime.MaxValue - DateTime.UnixEpoch).Ticks / ticks ? DateTime.UnixEpoch.AddTicks(count * ticks) : null;

    /// <summary>An event has no answer (see <see cref="EventEnvelope"/>), and no time but AMQP's: MassTransit takes any message id for one of its own, and reads a time in any century out of it.</summary>
    private sealed class EventContext(Headers headers, Uri? destinationAddress, DateTime? sent) : RawMessageContext(headers, destinationAddress, RawSerializerOptions.AnyMessageType), MessageContext
    {
        Uri? MessageContext.ResponseAddress => null;

        Uri? MessageContext.FaultAddress => null;

        DateTime? MessageContext.SentTime => sent;
    }
}
