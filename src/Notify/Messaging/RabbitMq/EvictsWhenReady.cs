using MassTransit;
using Notify.Subscriptions;

namespace Notify.Messaging.RabbitMq;

/// <summary>
/// Forgets the cached subscriptions whenever this worker's own queue has been bound: what was changed before, while it had no connection, it has not heard of; what is changed from then
/// on, it will.
/// </summary>
internal sealed class EvictsWhenReady(SubscriptionCache subscriptions) : IReceiveEndpointObserver
{
    public Task Ready(ReceiveEndpointReady ready)
    {
        subscriptions.EvictAll();
        return Task.CompletedTask;
    }

    public Task Stopping(ReceiveEndpointStopping stopping) => Task.CompletedTask;

    public Task Completed(ReceiveEndpointCompleted completed) => Task.CompletedTask;

    public Task Faulted(ReceiveEndpointFaulted faulted) => Task.CompletedTask;
}
