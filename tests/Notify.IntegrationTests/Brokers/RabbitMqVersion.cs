namespace Notify.IntegrationTests.Brokers;

/// <summary>The RabbitMQ versions that are tested against.</summary>
public enum RabbitMqVersion
{
    /// <summary>3.10.8, as Debian bookworm has it.</summary>
    V3,

    /// <summary>4.0.5, as Debian trixie has it.</summary>
    V4,
}
