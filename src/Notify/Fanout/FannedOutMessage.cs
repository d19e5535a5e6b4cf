namespace Notify.Fanout;

/// <summary>A message id that was fanned out, kept for <see cref="FanoutOptions.DuplicateWindow"/>.</summary>
public sealed class FannedOutMessage
{
    /// <summary>The <see cref="Contracts.MessagePosted.MessageId"/>.</summary>
    public Guid MessageId { get; init; }

    /// <summary>When its parts were sent.</summary>
    public DateTimeOffset FannedOutAt { get; init; }
}
