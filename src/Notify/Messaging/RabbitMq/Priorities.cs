namespace Notify.Messaging.RabbitMq;

/// <summary>
/// What may overtake what in a lane. A quorum queue knows two priorities from RabbitMQ 4.0 on, and delivers two messages of the high one for each of the normal one while it has both
/// (rabbitmq.com/docs/4.2/quorum-queues#priorities). RabbitMQ 3 delivers all in the order in which they came.
/// </summary>
internal static class Priorities
{
    /// <summary>Pushes of broadcasts: many at once, of which none has to keep an order with others.</summary>
    public const byte Normal = 0;

    /// <summary>All others, since what must keep its order must have one priority.</summary>
    public const byte High = 5;
}
