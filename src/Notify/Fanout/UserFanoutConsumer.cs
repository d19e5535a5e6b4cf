using MassTransit;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Telemetry;
using Notify.WebPush;

namespace Notify.Fanout;

/// <summary>
/// Takes an event in: (1) checks it, (2) drops it if it was fanned out before, (3) renders its payload, (4) cuts its audience into parts of
/// bounded size, (5) remembers its id. <see cref="UserFanoutPartConsumer"/> does the rest.
/// </summary>
/// <remarks>
/// Of a conversation one event at a time, in the order of the queue; that is cheap, since the work that grows with the audience is in the parts. The id is
/// remembered last: where that fails on RabbitMQ, or a crash comes before it, the parts are sent again, and each of them is known; a crash after it has lost nothing.
/// </remarks>
internal sealed partial class UserFanoutConsumer(
    FanoutLedger ledger, Lanes lanes, NotifyMetrics metrics, IOptions<FanoutOptions> options, TimeProvider time, ILogger<UserFanoutConsumer> logger) : IConsumer<MessagePosted>
{
    // Of a broadcast, whose parts keep no order: while it is cut up it holds up what comes behind.
    private const int MostAtOnce = 25;

    /// <exception cref="InvalidMessageException">The event is faulty; it goes to <c>user-fanout_error</c>.</exception>
    public async Task Consume(ConsumeContext<MessagePosted> context)
    {
        var message = context.Message;

        // The time of an event that brings none counts from when it came; it may have waited here for its turn, or for the database.
        var now = time.GetUtcNow() - context.ReceiveContext.ElapsedTime;

        // (1)
        MessageRules.ThrowIfInvalid(message);
        NotifyTracing.Name(message.MessageId);

        // (2)
        var messageId = message.MessageId;
        if (await ledger.ContainsAsync(messageId, offset: 0, count: 0).WaitAsync(context.CancellationToken))
        {
            LogDuplicate(messageId);
            return;
        }

        // (3)
        var ttl = message.TtlSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : options.Value.DefaultTtl;
        DateTimeOffset? published = context.SentTime is { } sent ? EventTime.PublishedAt(sent, now) : null;
        var part = new UserFanoutPart
        {
            MessageId = messageId,
            OrderKey = OrderKeyOf(message),
            RecipientIds = [],
            Payload = PushPayload.Render(message, published),
            Topic = PushTopic.From(PushPayload.TagOf(message)),
            Urgency = message.Urgency ?? "normal",
            TtlSeconds = (int)ttl.TotalSeconds,
            ExpiresAt = EventTime.ExpiryOf(published ?? now, ttl),
        };

        // (4)
        var audience = message.RecipientIds.Where(recipient => recipient != message.AuthorId).Distinct(StringComparer.Ordinal).ToList();
        var isBroadcast = message.ConversationId is null && audience.Count > options.Value.RecipientsPerPart;
        var parts = audience.Chunk(options.Value.RecipientsPerPart).Select((recipients, index) => part with
        {
            OrderKey = isBroadcast ? $"{part.OrderKey}/{index}" : part.OrderKey,
            Offset = index * options.Value.RecipientsPerPart,
            RecipientIds = recipients,
            IsBroadcast = isBroadcast,
        });
        foreach (var some in parts.Chunk(isBroadcast ? MostAtOnce : 1))
        {
            await Task.WhenAll(some.Select(each => SendAsync(context, each)));
        }

        // (5)
        await ledger.AddAsync(new FannedOutPart { MessageId = messageId, FannedOutAt = time.GetUtcNow(), PublishedAt = published }).WaitAsync(context.CancellationToken);
        metrics.FannedOut();
    }

    private async Task SendAsync(ConsumeContext context, UserFanoutPart part)
    {
        var endpoint = await context.GetSendEndpoint(lanes.AddressOf(part.IsBroadcast ? Queues.UserFanoutBroadcast : Queues.UserFanoutPart, part.OrderKey));
        await endpoint.Send(part, send => send.RequireQueue(), context.CancellationToken);
    }

    internal static string OrderKeyOf(MessagePosted message) => message.ConversationId ?? message.MessageId.ToString();

    [LoggerMessage(LogLevel.Information, "Message {MessageId} was fanned out before; this publication of it is dropped")]
    private partial void LogDuplicate(Guid messageId);
}

/// <summary>Queue <c>user-fanout</c>.</summary>
internal sealed class UserFanoutConsumerDefinition : ConsumerDefinition<UserFanoutConsumer>
{
    public UserFanoutConsumerDefinition() => EndpointName = Queues.UserFanout;

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<UserFanoutConsumer> consumerConfigurator,
        IRegistrationContext context)
    {
        endpointConfigurator.InOrder<UserFanoutConsumer, MessagePosted>(consumerConfigurator, context, UserFanoutConsumer.OrderKeyOf, concurrency: 16);
        consumerConfigurator.RetryInPlace();
    }
}
