using Notify.Contracts;

namespace Notify.Sending;

/// <summary>A push as the store is asked about it.</summary>
/// <param name="SubscriptionId">The subscription.</param>
/// <param name="MessageId">The message.</param>
/// <param name="Topic">The topic; empty if it has none, since a comparison of two that may be null finds no index.</param>
internal sealed record PushKey(Guid SubscriptionId, Guid MessageId, string Topic = "")
{
    /// <summary>That of a push.</summary>
    public static PushKey Of(SendPush push) => new(push.SubscriptionId, push.MessageId, push.Topic ?? "");
}
