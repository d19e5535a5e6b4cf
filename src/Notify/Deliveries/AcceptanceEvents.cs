using MassTransit;
using Notify.Contracts;
using Notify.Messaging;

namespace Notify.Deliveries;

/// <summary>
/// Publishes a <see cref="PushAccepted"/> for each accepted push, while anybody listens. Where nobody does, the broker throws away what a fifth of the way's work went
/// into; it says so of one event in <see cref="AskEvery"/>, and the others are not published.
/// </summary>
/// <remarks>Whoever begins to listen is so found within <see cref="AskEvery"/>, as if their queue had been bound that much later. Once listeners are known, each event is
/// published, until the broker says that none is left.</remarks>
public sealed class AcceptanceEvents(IBus bus, TimeProvider time)
{
    /// <summary>How long the broker's word that nobody listens is believed.</summary>
    public static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(50);

    // When the next event is published to ask again, as a timestamp; 0 while somebody listens.
    private long _askAt;

    /// <summary>Returns when the broker has it, or when nobody listens.</summary>
    public async Task PublishAsync(ConsumeContext context, PushAccepted accepted)
    {
        var (askAt, now) = (Volatile.Read(ref _askAt), time.GetTimestamp());
        if (askAt != 0 && (now < askAt || Interlocked.CompareExchange(ref _askAt, Later(now), askAt) != askAt))
        {
            return;
        }

        try
        {
            // Not through the consume context, for which an event that comes back would be a failure of the push.
            await bus.Publish(
                accepted,
                publish =>
                {
                    publish.ConversationId = context.ConversationId;
                    publish.RequireQueue();
                },
                context.CancellationToken);
            Volatile.Write(ref _askAt, 0);
        }
        catch (MessageReturnedException)
        {
            Volatile.Write(ref _askAt, Later(time.GetTimestamp()));
        }
    }

    private long Later(long timestamp) => timestamp + (long)(AskEvery.TotalSeconds * time.TimestampFrequency);
}
