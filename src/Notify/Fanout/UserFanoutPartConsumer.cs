using MassTransit;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Subscriptions;

namespace Notify.Fanout;

/// <summary>Finds every subscription of every recipient of a part, and sends one <see cref="SendPush"/> for each.</summary>
/// <remarks>One part at a time, in the order of the queue, so that pushes for one subscription are sent in the order of their events.</remarks>
public sealed class UserFanoutPartConsumer(SubscriptionCache subscriptions, PushSender sender) : IConsumer<UserFanoutPart>
{
    /// <inheritdoc />
    public async Task Consume(ConsumeContext<UserFanoutPart> context)
    {
        var part = context.Message;
        foreach (var user in await subscriptions.GetManyAsync(part.RecipientIds.ToArray(), context.CancellationToken))
        {
            foreach (var subscription in user.Subscriptions)
            {
                var push = new SendPush
                {
                    SubscriptionId = subscription.Id,
                    UserId = user.UserId,
                    MessageId = part.MessageId,
                    Payload = part.Payload,
                    Topic = part.Topic,
                    Urgency = part.Urgency,
                    TtlSeconds = part.TtlSeconds,
                    ExpiresAt = part.ExpiresAt,
                };
                await sender.SendAsync(push);
            }
        }
    }
}

/// <summary>Queue <c>user-fanout-part</c>.</summary>
public sealed class UserFanoutPartConsumerDefinition : ConsumerDefinition<UserFanoutPartConsumer>
{
    /// <summary>Names the queue.</summary>
    public UserFanoutPartConsumerDefinition() => EndpointName = Queues.UserFanoutPart;

    /// <inheritdoc />
    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<UserFanoutPartConsumer> consumerConfigurator,
        IRegistrationContext context)
    {
        endpointConfigurator.ConfigureConsumeTopology = false;
        endpointConfigurator.ConcurrentMessageLimit = 1;
        endpointConfigurator.UseMessageRetry(Retries.WhileTheStoreIsAway);
    }
}
