using MassTransit;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Messaging.RabbitMq;
using Notify.Messaging.RabbitMq.Delays;

namespace Notify.Sending;

/// <summary>On RabbitMQ: brings the commands of a lane to the <see cref="SendStage"/>.</summary>
internal sealed class SubscriptionSendConsumer(SendStage stage, ListenedEvents<PushAccepted> acceptances, ListenedEvents<PushDeferred> waits) : IConsumer<SendPush>
{
    public Task Consume(ConsumeContext<SendPush> context) => stage.HandleAsync(new Consumed(context, acceptances, waits));

    private sealed class Consumed(ConsumeContext<SendPush> context, ListenedEvents<PushAccepted> acceptances, ListenedEvents<PushDeferred> waits) : PushInHand
    {
        public override SendPush Push { get; } = context.Message;

        public override int? AttemptsInLine => context.Headers.Get<int>(PushSender.AttemptsHeader);

        public override bool IsRedelivered => context.ReceiveContext.Redelivered;

        public override CancellationToken CancellationToken { get; } = context.CancellationToken;

        public override CancellationToken IsNotOurs => CancellationToken;

        public override Task PublishAsync<T>(T message) => context.Publish(message, CancellationToken);

        public override Task PublishIfHeardAsync(PushAccepted accepted) => acceptances.PublishAsync(context, accepted);

        public override Task PublishIfHeardAsync(PushDeferred deferred) => waits.PublishAsync(context, deferred);

        // Not acknowledged before; but its subscription's next push may go, and all that belongs to this one may be forgotten.
        public override Task KeepUntilAsync(Task told)
        {
            context.ReceiveContext.AddReceiveTask(told);
            return Task.CompletedTask;
        }

        public override Task RedeliverAsync(int attempts, TimeSpan delay) => context.Redeliver(delay, (_, send) => send.Headers.Set(PushSender.AttemptsHeader, attempts));

        public override Task KeepInErrorQueueAsync(string reason) => context.KeepInErrorQueueAsync(reason);
    }
}

/// <summary>Queue <c>subscription-send</c>.</summary>
internal sealed class SubscriptionSendConsumerDefinition : ConsumerDefinition<SubscriptionSendConsumer>
{
    private readonly IOptions<SendingOptions> _options;

    public SubscriptionSendConsumerDefinition(IOptions<SendingOptions> options)
    {
        _options = options;
        EndpointName = Queues.SubscriptionSend;
    }

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<SubscriptionSendConsumer> consumerConfigurator,
        IRegistrationContext context)
    {
        endpointConfigurator.ConfigureConsumeTopology = false;

        // A push service that has all its places taken leaves room for the others, and for those that wait for an earlier one of their subscription.
        var lane = (IRabbitMqReceiveEndpointConfigurator)endpointConfigurator;
        lane.UseLane<SendPush>(context, push => push.SubscriptionId.ToString(), prefetch: 4 * _options.Value.Concurrency);
        lane.UseDelayQueues(context.GetRequiredService<TimeProvider>());
        consumerConfigurator.StopBetweenTries(context);

        // Exceptions are retried in place, in turn; a push service's answer is redelivered by the consumer, which knows the line.
        endpointConfigurator.UseDelayedRedelivery(redelivery => redelivery.None());
        consumerConfigurator.RetryTheStore();
    }
}
