using MassTransit;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Subscriptions;

namespace Notify.Fanout;

/// <summary>Finds every subscription of every recipient of a part, and sends one <see cref="SendPush"/> for each.</summary>
/// <remarks>Of a conversation one part at a time, in the order of the queue, so that pushes for one subscription are sent in the order of their events.
/// Within a part there is one push for a subscription, so those go at once.</remarks>
public sealed class UserFanoutPartConsumer(SubscriptionCache subscriptions, PushSender sender) : IConsumer<UserFanoutPart>
{
    private const int MostAtOnce = 500;

    /// <inheritdoc />
    public async Task Consume(ConsumeContext<UserFanoutPart> context)
    {
        var part = context.Message;
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
        foreach (var some in pushes.Chunk(MostAtOnce))
        {
            await Task.WhenAll(some.Select(push => sender.SendAsync(push, attemptsInLine: null, context.CancellationToken)));
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
        endpointConfigurator.InOrder<UserFanoutPart>(context, part => part.OrderKey, concurrency: 4);
        endpointConfigurator.UseMessageRetry(Retries.InPlace);
    }
}
