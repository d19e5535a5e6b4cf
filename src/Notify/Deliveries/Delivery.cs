using Notify.Contracts;

namespace Notify.Deliveries;

/// <summary>Where a push stands.</summary>
public enum DeliveryState
{
    /// <summary>It waits for its next attempt, or behind an earlier push.</summary>
    Retrying,

    /// <summary>The push service took it.</summary>
    Accepted,

    /// <summary>The subscription was gone: the push service said so, or its <c>expirationTime</c> had passed.</summary>
    Expired,

    /// <summary>It was given up; <see cref="Delivery.Reason"/> says why.</summary>
    Failed,
}

/// <summary>What became of one message for one subscription, as the bus's events tell it.</summary>
public sealed class Delivery
{
    /// <summary>The <see cref="Contracts.MessagePosted.MessageId"/>.</summary>
    public Guid MessageId { get; init; }

    /// <summary>The subscription.</summary>
    public Guid SubscriptionId { get; init; }

    /// <summary>The user it was meant for.</summary>
    public required string UserId { get; init; }

    /// <summary>Where it stands.</summary>
    public DeliveryState State { get; init; }

    /// <summary>POSTs made.</summary>
    public int Attempts { get; init; }

    /// <summary>The last HTTP status; null if there was no answer.</summary>
    public int? Status { get; init; }

    /// <summary>Why it waits or was given up.</summary>
    public string? Reason { get; init; }

    /// <summary>When it is tried next at the earliest; null unless it waits.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    /// <summary>When it came to this state.</summary>
    public DateTimeOffset UpdatedAt { get; init; }

    /// <summary>What an acceptance says.</summary>
    internal static Delivery Of(PushAccepted push) => new()
    {
        MessageId = push.MessageId,
        SubscriptionId = push.SubscriptionId,
        UserId = push.UserId,
        State = DeliveryState.Accepted,
        Attempts = push.Attempts,
        Status = push.Status,
        UpdatedAt = push.At,
    };

    /// <summary>What a wait says.</summary>
    internal static Delivery Of(PushDeferred push) => new()
    {
        MessageId = push.MessageId,
        SubscriptionId = push.SubscriptionId,
        UserId = push.UserId,
        State = DeliveryState.Retrying,
        Attempts = push.Attempts,
        Status = push.Status,
        Reason = push.Reason,
        NextAttemptAt = push.NextAttemptAt,
        UpdatedAt = push.At,
    };

    /// <summary>
    /// Whether another report of the same push is later than this one: an end is final, but for a failed push that an operator puts back, of which an acceptance counts, and whatever else
    /// came later; and a wait gives way to an end and to a wait of as many attempts or more.
    /// </summary>
    internal bool GivesWayTo(Delivery other) =>
        (State == DeliveryState.Failed && (other.State == DeliveryState.Accepted || other.UpdatedAt > UpdatedAt)) || (State == DeliveryState.Retrying && (other.State != DeliveryState.Retrying || other.Attempts >= Attempts));
}
