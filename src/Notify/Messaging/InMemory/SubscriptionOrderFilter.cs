using MassTransit;
using Notify.Contracts;

namespace Notify.Messaging.InMemory;

/// <summary>
/// Around everything else that happens to a push: one at a time for each subscription, and the next one is sent when this one is
/// done with.
/// </summary>
internal sealed class SubscriptionOrderFilter(OneAtATime oneAtATime, MailboxPushSender sender) : IFilter<ConsumeContext>
{
    public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        if (!context.TryGetMessage<SendPush>(out var push))
        {
            await next.Send(context);
            return;
        }

        try
        {
            using (await oneAtATime.EnterAsync(push.Message.SubscriptionId.ToString()))
            {
                await next.Send(context);
            }
        }
        finally
        {
            await sender.EndAsync(push);
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("subscriptionOrder");
}
