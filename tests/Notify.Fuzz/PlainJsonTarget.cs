using System.Runtime.Serialization;
using System.Text;
using System.Text.Json;
using MassTransit;
using MassTransit.Serialization;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Messaging.RabbitMq;
using Notify.WebPush;
using static Notify.Fuzz.BrokenPromiseException;

namespace Notify.Fuzz;

/// <summary>An event from a publisher that is no MassTransit, through the deserializer of the queue and the rules to the payload.</summary>
internal static class PlainJsonTarget
{
    private static readonly PlainJson Deserializer = new();

    public static void Run(byte[] input)
    {
        if (Read(input) is not { } message)
        {
            return;
        }

        try
        {
            MessageRules.ThrowIfInvalid(message);
        }
        catch (InvalidMessageException)
        {
            return;
        }

        var payload = PushPayload.Render(message, DateTimeOffset.UnixEpoch.AddYears(60));
        var token = new string('t', ReceiptTokens.Length);
        var whole = PushPayload.WithReceipt(payload, token);
        ThrowUnless(Encoding.UTF8.GetByteCount(whole) <= PushMessage.MaxContentLength, "A payload fits a push message, its receipt included.");
        using var json = JsonDocument.Parse(whole);
        var notification = json.RootElement.GetProperty("notification");
        ThrowUnless(notification.GetProperty("title").GetString() == message.Title, "The title arrives whole.");
        ThrowUnless(notification.GetProperty("data").GetProperty("messageId").GetGuid() == message.MessageId, "The id arrives.");
        ThrowUnless(notification.GetProperty("data").GetProperty("receipt").GetString() == token, "The receipt arrives.");
        ThrowUnless(PushTopic.From(PushPayload.TagOf(message)).Length == 32, "A topic has 32 characters.");
    }

    /// <summary>The event as the consumer gets it; null if it is moved to the error queue with the deserializer's own word.</summary>
    internal static MessagePosted? Read(byte[] input)
    {
        try
        {
            return Deserializer.Deserialize(new BytesMessageBody(input), EmptyHeaders.Instance).TryGetMessage<MessagePosted>(out var message) ? message : null;
        }
        catch (Exception e) when (e is SerializationException or JsonException)
        {
            return null;
        }
    }
}
