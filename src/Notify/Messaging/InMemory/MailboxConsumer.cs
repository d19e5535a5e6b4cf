using MassTransit;
using Notify.Contracts;

namespace Notify.Messaging.InMemory;

/// <summary>Puts a command that the in-memory bus held back into the mailbox of its subscription.</summary>
internal sealed class MailboxConsumer(MailboxPushSender sender) : IConsumer<SendPush>
{
    public Task Consume(ConsumeContext<SendPush> context) => sender.SendAsync(context.Message, context.Headers.Get<int>(PushSender.AttemptsHeader), context.CancellationToken);
}

/// <summary>Queue <c>subscription-send</c>.</summary>
internal sealed class MailboxConsumerDefinition : ConsumerDefinition<MailboxConsumer>
{
    public MailboxConsumerDefinition() => EndpointName = Queues.SubscriptionSend;

    protected override void ConfigureConsumer(IReceiveEndpointConfigurator endpointConfigurator, IConsumerConfigurator<MailboxConsumer> consumerConfigurator, IRegistrationContext context)
    {
        endpointConfigurator.ConfigureConsumeTopology = false;

        // Else that bus does not keep their order.
        endpointConfigurator.ConcurrentMessageLimit = 1;
    }
}
