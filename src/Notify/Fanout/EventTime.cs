using Notify.Contracts;

namespace Notify.Fanout;

/// <summary>When an event was published, and until when its pushes are worth making: the one is reckoned from the other.</summary>
internal static class EventTime
{
    // A TTL of 0 means now or never; the way through the bus is granted this much.
    private static readonly TimeSpan NowOrNever = TimeSpan.FromSeconds(30);

    /// <summary>From when on the pushes of an event are stale.</summary>
    public static DateTimeOffset ExpiryOf(DateTimeOffset published, TimeSpan ttl) => published + (ttl > TimeSpan.Zero ? ttl : NowOrNever);

    /// <summary>When the event of a push was published.</summary>
    public static DateTimeOffset PublishedAt(SendPush push) => push.ExpiresAt - (push.TtlSeconds > 0 ? TimeSpan.FromSeconds(push.TtlSeconds) : NowOrNever);

    /// <summary>When an event was published that was sent then; not after <paramref name="now"/>, for a publisher whose clock is ahead must not have its pushes outlive their TTL.</summary>
    public static DateTimeOffset PublishedAt(DateTime sent, DateTimeOffset now)
    {
        // One that was written with an offset is read as this machine's own time; what MassTransit writes is universal, whether or not it says so.
        var published = new DateTimeOffset(sent.Kind == DateTimeKind.Local ? sent.ToUniversalTime() : DateTime.SpecifyKind(sent, DateTimeKind.Utc));
        return published < now ? published : now;
    }
}
