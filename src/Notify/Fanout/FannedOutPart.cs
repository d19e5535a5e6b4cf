namespace Notify.Fanout;

/// <summary>
/// A message that was fanned out, or one part of its audience; kept for <see cref="FanoutOptions.DuplicateWindow"/>, or as long as its deliveries where that is longer.
/// </summary>
/// <remarks>Where a part begins and ends is in its key: cut in another way, say after <see cref="FanoutOptions.RecipientsPerPart"/> was changed, a part is another.</remarks>
public sealed class FannedOutPart
{
    /// <summary>The <see cref="Contracts.MessagePosted.MessageId"/>.</summary>
    public Guid MessageId { get; init; }

    /// <summary>Where in the audience the part begins, from 0.</summary>
    public int Offset { get; init; }

    /// <summary>Recipients in the part; 0 for the message as a whole.</summary>
    public int Count { get; init; }

    /// <summary>When all of it was sent to the next stage.</summary>
    public DateTimeOffset FannedOutAt { get; init; }

    /// <summary>When the event was published; null for a part.</summary>
    public DateTimeOffset? PublishedAt { get; init; }
}
