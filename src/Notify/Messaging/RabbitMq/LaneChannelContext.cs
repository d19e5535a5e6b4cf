using MassTransit.RabbitMqTransport;

namespace Notify.Messaging.RabbitMq;

/// <summary>The channel that a lane is consumed from: gives the lane and what was delivered back in one step, when it closes.</summary>
/// <remarks>
/// MassTransit stops by cancelling the consumer and working off what was delivered to it. But the broker gives a lane whose consumer was cancelled to the next worker at
/// once, and the two would be at it together.
/// </remarks>
internal sealed class LaneChannelContext(ChannelContext context) : ScopeChannelContext(context, context.CancellationToken), ChannelContext
{
    Task ChannelContext.BasicCancel(string consumerTag, CancellationToken cancellationToken) => Task.CompletedTask;
}
