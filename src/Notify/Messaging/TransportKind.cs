namespace Notify.Messaging;

/// <summary>Buses that Notify runs on.</summary>
public enum TransportKind
{
    /// <summary>Inside the process; the embedded default.</summary>
    InMemory,

    /// <summary>RabbitMQ.</summary>
    RabbitMq,
}
