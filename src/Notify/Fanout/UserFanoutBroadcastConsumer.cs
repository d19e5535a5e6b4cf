using MassTransit;
using Notify.Messaging;

namespace Notify.Fanout;

/// <summary>
/// Fans out a part of a broadcast, as <see cref="UserFanoutPartConsumer"/> does one of another audience: in lanes of their own, so that nobody's events wait behind a hundred of them.
/// </summary>
internal sealed class UserFanoutBroadcastConsumer(UserFanoutPartConsumer parts) : IConsumer<UserFanoutPart>
{
    public Task Consume(ConsumeContext<UserFanoutPart> context) => parts.Consume(context);
}

/// <summary>Queue <c>user-fanout-broadcast</c>.</summary>
internal sealed class UserFanoutBroadcastConsumerDefinition : ConsumerDefinition<UserFanoutBroadcastConsumer>
{
    public UserFanoutBroadcastConsumerDefinition() => EndpointName = Queues.UserFanoutBroadcast;

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<UserFanoutBroadcastConsumer> consumerConfigurator,
        IRegistrationContext context)
    {
        endpointConfigurator.ConfigureConsumeTopology = false;
        endpointConfigurator.InOrder(consumerConfigurator, context, (UserFanoutPart part) => part.OrderKey, concurrency: 1);
        consumerConfigurator.RetryInPlace();
    }
}
