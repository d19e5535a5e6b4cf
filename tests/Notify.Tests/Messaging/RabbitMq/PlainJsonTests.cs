using System.Runtime.Serialization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using MassTransit;
using MassTransit.Serialization;
using Notify.Contracts;
using Notify.Fanout;
using Notify.Fuzz;
using Notify.Messaging.RabbitMq;
using Notify.WebPush.Tests.Support;
using RabbitMQ.Client;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class PlainJsonTests
{
    private const string Id = "0191f6a2-0000-7000-8000-000000000001";

    [Theory]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","ttlSeconds":60,"unknown":1}""")]
    [InlineData($$"""{"MessageId":"{{Id}}","RecipientIds":["ada"],"Title":"Hello","TtlSeconds":60}""")]
    public void An_event_is_read_in_either_case(string json)
    {
        var message = PlainJsonTarget.Read(Encoding.UTF8.GetBytes(json))!;

        Assert.Equal((Guid.Parse(Id), "ada", "Hello", 60), (message.MessageId, message.RecipientIds.Single(), message.Title, message.TtlSeconds));
        Assert.Empty(MessageRules.Check(message));
    }

    [Theory]
    [InlineData("null")]
    [InlineData(" null\r\n\t")]
    [InlineData("/* nothing */ null//")]
    public void A_body_of_null_is_refused_in_words(string json)
    {
        var refusal = Assert.Throws<SerializationException>(() => new PlainJson().Deserialize(new StringMessageBody(json), EmptyHeaders.Instance));

        Assert.Equal("The body must be MessagePosted as JSON, not null.", refusal.Message);
    }

    [Theory]
    [InlineData(0x08B00000)]
    [InlineData(0x2BCA2875)]
    public void Of_what_the_headers_say_an_event_has_its_message_id_alone(int ticks)
    {
        // MassTransit would read a time out of such an id: in 1985, or at the end of 9999.
        var messageId = new NewId(ticks, 0, 0, 0).ToGuid();
        var headers = new DictionarySendHeaders();
        headers.Set(MessageHeaders.MessageId, $"{messageId}");
        headers.Set(MessageHeaders.ResponseAddress, "queue:answers");
        headers.Set(MessageHeaders.FaultAddress, "queue:faults");

        MessageContext context = new PlainJson().Deserialize(new StringMessageBody("{}"), headers);

        Assert.Equal((messageId, null, null, null), (context.MessageId, context.SentTime, context.ResponseAddress, context.FaultAddress));
    }

    public static TheoryData<long?, object?, double?> Times() => new()
    {
        // The property in seconds, the header, and what is read of them, in seconds.
        { null, null, null },
        { 1_790_000_000, null, 1_790_000_001 },
        { 1_790_000_000, 1_790_000_000_250, 1_790_000_000.25 },
        { null, 1_790_000_000_250, 1_790_000_000.25 },
        { 1_790_000_000, "1790000000250", 1_790_000_001 },
        { 1_790_000_000, 0L, 1_790_000_001 },
        { 1_790_000_000, long.MaxValue, 1_790_000_001 },
        { 253_402_300_798, null, 253_402_300_799 },
        { 253_402_300_799, null, null },
        { 1_790_000_000_000, null, null },
        { long.MaxValue, null, null },
        { 0, null, null },
        { -1, -1L, null },
        { long.MinValue, long.MinValue, null },
    };

    [Theory]
    [MemberData(nameof(Times))]
    public void The_time_of_an_event_is_what_publisher_or_broker_wrote_beside_it_where_that_is_one(long? timestamp, object? header, double? seconds)
    {
        var properties = new BasicProperties { Headers = header is null ? null : new Dictionary<string, object?> { ["timestamp_in_ms"] = header } };
        if (timestamp is { } given)
        {
            properties.Timestamp = new AmqpTimestamp(given);
        }

        Assert.Equal(seconds is { } expected ? DateTime.UnixEpoch.AddSeconds(expected) : null, PlainJson.SentTime(properties));
    }

    [Property(MaxTest = 2000)]
    public Property JSON_of_any_shape_is_an_event_or_refused_as_documented() => Prop.ForAll(
        AnyJson.Of(
            [.. typeof(MessagePosted).GetProperties().Select(property => property.Name).SelectMany(name => new[] { name, char.ToLowerInvariant(name[0]) + name[1..] })],
            $"\"{Id}\"", "[\"ada\",\"bob\"]", "\"Hello\"", "60", "\"2026-01-02T03:04:05+14:00\"", "\"high\"", "\"/rooms/1\"", "[{\"action\":\"a\",\"title\":\"b\"}]"),
        json => PlainJsonTarget.Run(Encoding.UTF8.GetBytes(json)));

    [Property(MaxTest = 500)]
    public Property An_event_with_members_of_any_kind_is_an_event_or_refused_as_documented() => Prop.ForAll(
        AnyJson.Of(["body", "url", "tag", "icon", "image", "actions", "urgency", "ttlSeconds", "postedAt", "conversationId", "authorId"], "\"high\"", "60", "\"/x\"", "\"2026-01-02T03:04:05Z\""),
        json => PlainJsonTarget.Run(Encoding.UTF8.GetBytes($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello",""" + json.TrimStart('{', '['))));
}
