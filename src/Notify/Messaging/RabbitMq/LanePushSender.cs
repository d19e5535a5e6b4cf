using MassTransit;
using Notify.Contracts;
using Notify.Messaging.RabbitMq.Delays;

namespace Notify.Messaging.RabbitMq;

/// <summary>On RabbitMQ: sends a command to its subscription's lane, and returns when the broker has confirmed it.</summary>
internal sealed class LanePushSender(IServiceProvider services, Lanes lanes, TimeProvider time) : PushSender
{
    public override Task SendAsync(SendPush push, int? attemptsInLine, CancellationToken cancellationToken) =>
        SendAsync(push, attemptsInLine, notBefore: null, Priorities.High, cancellationToken);

    public override Task SendBroadcastAsync(SendPush push, CancellationToken cancellationToken) => SendAsync(push, attemptsInLine: null, notBefore: null, Priorities.Normal, cancellationToken);

    public override Task SendLaterAsync(SendPush push, int attempts, TimeSpan delay, CancellationToken cancellationToken) =>
        SendAsync(push, attempts, time.GetUtcNow() + delay, Priorities.High, cancellationToken);

    private async Task SendAsync(SendPush push, int? attemptsInLine, DateTimeOffset? notBefore, byte priority, CancellationToken cancellationToken)
    {
        // Not through a consume context: what is sent may belong to another message than the one that is being handled.
        var endpoint = await services.GetRequiredService<IBus>().GetSendEndpoint(lanes.AddressOf(Queues.SubscriptionSend, push.SubscriptionId.ToString()));
        await endpoint.Send(push, context =>
        {
            context.RequireQueue();
            context.SetPriority(priority);
            if (attemptsInLine is { } attempts)
            {
                context.Headers.Set(AttemptsHeader, attempts);
            }

            if (notBefore is { } moment)
            {
                context.Headers.Set(DelayQueues.NotBeforeHeader, moment.ToUnixTimeMilliseconds());
            }
        }, cancellationToken);
    }
}
