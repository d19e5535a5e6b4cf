using MassTransit;
using Notify.Contracts;

namespace Notify.Deliveries;

/// <summary>Publishes a <see cref="PushAccepted"/> for each accepted push, to whoever listens.</summary>
public class AcceptanceEvents
{
    /// <summary>Returns when the bus has it.</summary>
    public virtual Task PublishAsync(ConsumeContext context, PushAccepted accepted) => context.Publish(accepted, context.CancellationToken);
}
