using System.Text.Json.Nodes;
using MassTransit.Context;
using MassTransit.Serialization;
using Notify.Contracts;

namespace Notify.Tests.Contracts;

/// <summary>One of each message, every member set to something other than its default.</summary>
internal static class ContractExamples
{
    private static readonly Guid SubscriptionId = Guid.Parse("0191f6a2-0000-7000-8000-00000000000a");
    private static readonly Guid MessageId = Guid.Parse("0191f6a2-0000-7000-8000-00000000000b");
    private static readonly DateTimeOffset At = new(2026, 1, 2, 3, 4, 5, 678, TimeSpan.FromHours(2));

    public static MessagePosted MessagePosted { get; } = new()
    {
        MessageId = MessageId,
        ConversationId = "kitchen",
        AuthorId = "grace",
        RecipientIds = ["ada", "grace"],
        Title = "Grace",
        Body = "Zażółć 🦅",
        Url = "/rooms/kitchen",
        Tag = "kitchen",
        Icon = "https://example.com/icon.png",
        Image = "/lunch.jpg",
        RequireInteraction = true,
        Silent = true,
        Renotify = true,
        AppBadge = 3,
        Actions = [new NotificationAction("open", "Open", "/rooms/kitchen", "/open.png")],
        Urgency = "high",
        TtlSeconds = 3600,
        PostedAt = At,
    };

    public static IReadOnlyList<object> All { get; } =
    [
        MessagePosted,
        new PushAccepted(SubscriptionId, "ada", MessageId, 2, 201, "none", At),
        new PushClicked(SubscriptionId, "ada", MessageId, "open", At),
        new PushDeferred(SubscriptionId, "ada", MessageId, 1, 429, "too many requests", At.AddMinutes(1), At),
        new PushDisplayed(SubscriptionId, "ada", MessageId, At),
        new PushFailed(SubscriptionId, "ada", MessageId, 5, 503, PushFailureReasons.AttemptsExhausted, At),
        new SendPush
        {
            SubscriptionId = SubscriptionId,
            UserId = "ada",
            MessageId = MessageId,
            Payload = """{"web_push":8030}""",
            Topic = "AbCdEfGhIjKlMnOpQrStUvWxYz012345",
            Urgency = "high",
            TtlSeconds = 3600,
            ExpiresAt = At,
        },
        new SubscriptionExpired(SubscriptionId, "ada") { Revision = 2 },
        new SubscriptionRegistered(SubscriptionId, "ada"),
        new SubscriptionRemoved(SubscriptionId, "ada"),
    ];

    /// <summary>A message as MassTransit writes it to the wire, but for what differs from machine to machine and from run to run.</summary>
    public static string Envelope(object message)
    {
        var write = typeof(ContractExamples).GetMethod(nameof(Write), System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static)!.MakeGenericMethod(message.GetType());
        var envelope = JsonNode.Parse((string)write.Invoke(null, [message])!)!;
        envelope["sentTime"] = "2026-01-02T03:04:05.678Z";
        envelope["host"] = new JsonObject
        {
            ["machineName"] = "publisher-1",
            ["processName"] = "dotnet",
            ["processId"] = 1,
            ["assembly"] = "Publisher",
            ["assemblyVersion"] = "1.0.0.0",
            ["frameworkVersion"] = "10.0.0",
            ["massTransitVersion"] = "8.5.12.0",
            ["operatingSystemVersion"] = "Unix 6.1.0.0",
        };
        return envelope.ToJsonString(ContractSchemas.CamelCase) + "\n";
    }

    private static string Write<T>(T message)
        where T : class
    {
        var context = new MessageSendContext<T>(message)
        {
            MessageId = MessageId,
            ConversationId = SubscriptionId,
            SourceAddress = new Uri("rabbitmq://localhost/publisher"),
            DestinationAddress = new Uri($"rabbitmq://localhost/Notify.Contracts:{typeof(T).Name}"),
        };
        return new SystemTextJsonMessageSerializer().GetMessageBody(context).GetString();
    }
}
