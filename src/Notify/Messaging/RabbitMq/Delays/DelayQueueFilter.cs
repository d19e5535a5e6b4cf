using MassTransit;
using MassTransit.Configuration;

namespace Notify.Messaging.RabbitMq.Delays;

/// <summary>Gives each message its <see cref="DelayQueueRedeliveryContext{T}"/>, and holds back what has come before its time.</summary>
internal sealed class DelayQueueFilter<T>(TimeProvider time) : IFilter<ConsumeContext<T>>
    where T : class
{
    public async Task Send(ConsumeContext<T> context, IPipe<ConsumeContext<T>> next)
    {
        var redelivery = new DelayQueueRedeliveryContext<T>(context, time);
        context.GetOrAddPayload<MessageRedeliveryContext>(() => redelivery);
        if (context.Headers.Get<long>(DelayQueues.NotBeforeHeader) is { } milliseconds && DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) is var notBefore && notBefore > time.GetUtcNow())
        {
            await redelivery.HoldAsync(notBefore);

            // Else it would be taken to be of no interest, and moved to the queue for such messages.
            await context.NotifyConsumed(context, context.ReceiveContext.ElapsedTime, nameof(DelayQueues));
            return;
        }

        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("delayQueues");
}

/// <summary>Puts the filter in front of every message type that the endpoint consumes.</summary>
internal sealed class DelayQueueConfigurationObserver : ConfigurationObserver, IMessageConfigurationObserver
{
    private readonly IConsumePipeConfigurator _endpoint;
    private readonly TimeProvider _time;

    public DelayQueueConfigurationObserver(IConsumePipeConfigurator endpoint, TimeProvider time)
        : base(endpoint)
    {
        (_endpoint, _time) = (endpoint, time);
        Connect(this);
    }

    public void MessageConfigured<T>(IConsumePipeConfigurator configurator)
        where T : class => configurator.UseFilter(new DelayQueueFilter<T>(_time));

    public override void BatchConsumerConfigured<TConsumer, T>(IConsumerMessageConfigurator<TConsumer, Batch<T>> configurator) => MessageConfigured<T>(_endpoint);
}

/// <summary>Switches the delay queues on.</summary>
public static class DelayQueueConfigurationExtensions
{
    /// <summary>
    /// Lets RabbitMQ hold messages back for <c>UseDelayedRedelivery</c> and <c>context.Redeliver</c>, in queues of its own instead of the delayed message exchange's
    /// plugin. Call it before <c>UseDelayedRedelivery</c>.
    /// </summary>
    /// <param name="endpoint">The receive endpoint.</param>
    /// <param name="time">Tells whether a message that goes round several times is due.</param>
    public static void UseDelayQueues(this IRabbitMqReceiveEndpointConfigurator endpoint, TimeProvider time)
    {
        endpoint.ConfigureChannel(pipe => pipe.UseExecuteAsync(channel => DelayQueues.DeclareAheadAsync(channel.ConnectionContext, time)));
        _ = new DelayQueueConfigurationObserver(endpoint, time);
    }
}
