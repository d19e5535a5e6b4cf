using System.Globalization;
using System.Runtime.Serialization;
using MassTransit;
using Notify.Fanout;

namespace Notify.Messaging.RabbitMq;

/// <summary>The body of an event: what is too large for any is not read, since it would take twenty times its size.</summary>
internal static class EventBody
{
    /// <summary>Its bytes.</summary>
    /// <exception cref="SerializationException">It is too large, as brokers before RabbitMQ 4 take them.</exception>
    public static byte[] GetEventBytes(this MessageBody body) => body.Length is > MessagesApi.MaxEventBytes and var length
        ? throw new SerializationException(string.Create(CultureInfo.InvariantCulture, $"The body has {length:N0} bytes; an event has {MessagesApi.MaxEventBytes:N0} at most."))
        : body.GetBytes();
}
