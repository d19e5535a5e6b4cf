using MassTransit;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Subscriptions;
using Notify.Telemetry;

namespace Notify.Fanout;

/// <summary>
/// Fans a part of an audience out: (1) drops it if that was done before, (2) finds every subscription of every recipient, (3) sends one <see cref="SendPush"/> for each, and
/// (4) remembers it.
/// </summary>
/// <remarks>Of a conversation one part at a time, in the order of the queue, so that pushes for one subscription are sent in the order of their events.
/// Within a part there is one push for a subscription, so those go at once. The part is remembered last: a crash before that fans it out again, a crash after it has lost
/// nothing. What was sent is not sent again because it could not be remembered.</remarks>
internal sealed partial class UserFanoutPartConsumer(
    FanoutLedger ledger, SubscriptionCache subscriptions, PushSender sender, NotifyMetrics metrics, TimeProvider time, ILogger<UserFanoutPartConsumer> logger) : IConsumer<UserFanoutPart>
{
    private const int MostAtOnce = 500;

    public async Task Consume(ConsumeContext<UserFanoutPart> context)
    {
        var part = context.Message;
        NotifyTracing.Name(part.MessageId);

        // (1)
        var (messageId, offset, count) = (part.MessageId, part.Offset, part.RecipientIds.Count);
        if (offset is not null && await ledger.ContainsAsync(messageId, offset.Value, count).WaitAsync(context.CancellationToken))
        {
            LogDuplicate(messageId, offset);
            return;
        }

        // (2)
        var users = await subscriptions.GetManyAsync(part.RecipientIds.ToArray(), context.CancellationToken);
        var pushes = users.SelectMany(user => user.Subscriptions, (user, subscription) => new SendPush
        {
            SubscriptionId = subscription.Id,
            UserId = user.UserId,
            MessageId = part.MessageId,
            Payload = part.Payload,
            Topic = part.Topic,
            Urgency = part.Urgency,
            TtlSeconds = part.TtlSeconds,
            ExpiresAt = part.ExpiresAt,
        });

        // (3)
        foreach (var some in pushes.Chunk(MostAtOnce))
        {
            await Task.WhenAll(some.Select(push => part.IsBroadcast ? sender.SendBroadcastAsync(push, context.CancellationToken) : sender.SendAsync(push, attemptsInLine: null, context.CancellationToken)));
            metrics.Sent(some.Length);
        }

        // (4)
        if (offset is not null)
        {
            // It counts from here on, even where the host stops meanwhile.
            await ledger.RememberAsync(new FannedOutPart { MessageId = messageId, Offset = offset.Value, Count = count, FannedOutAt = time.GetUtcNow() });
        }
    }

    [LoggerMessage(LogLevel.Information, "The part at {Offset} of message {MessageId} was fanned out before, and is dropped")]
    private partial void LogDuplicate(Guid messageId, int? offset);
}

/// <summary>Queue <c>user-fanout-part</c>.</summary>
internal sealed class UserFanoutPartConsumerDefinition : ConsumerDefinition<UserFanoutPartConsumer>
{
    public UserFanoutPartConsumerDefinition() => EndpointName = Queues.UserFanoutPart;

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<UserFanoutPartConsumer> consumerConfigurator,
        IRegistrationContext context)
    {
        endpointConfigurator.ConfigureConsumeTopology = false;
        endpointConfigurator.InOrder(consumerConfigurator, context, (UserFanoutPart part) => part.OrderKey, concurrency: 4);
        consumerConfigurator.RetryInPlace();
    }
}
