using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Notify.Fanout;
using Notify.Sending;

namespace Notify.Messaging;

/// <summary>
/// The ordered queues of a stage, and which of them a key goes to: on RabbitMQ several, each handled by one worker at a time; on the in-memory bus one.
/// </summary>
/// <remarks>The sender chooses the lane, so that the broker needs no plugin for it. All who send must therefore agree on the number of lanes:
/// <see cref="RabbitMq.LaneCheck"/> sees to it.</remarks>
public sealed class Lanes(IOptions<NotifyOptions> options, IOptions<FanoutOptions> fanout, IOptions<SendingOptions> sending)
{
    /// <summary>The stages that have lanes, with the number of them.</summary>
    public IReadOnlyDictionary<string, int> Counts { get; } = Queues.WithLanes.ToDictionary(
        stage => stage, stage => stage == Queues.SubscriptionSend ? sending.Value.Partitions : fanout.Value.Partitions);

    /// <summary>The queues of all lanes of all stages.</summary>
    internal IEnumerable<string> All => Counts.SelectMany(stage => Enumerable.Range(0, stage.Value), (stage, lane) => QueueOf(stage.Key, lane));

    /// <summary>Whether this process has made the lanes of the send stage: the broker is a new one, or another, and has nothing of what was held back.</summary>
    internal bool AreNew { get; set; }

    /// <summary>The queue of one lane.</summary>
    public static string QueueOf(string stage, int lane) => $"{stage}-{lane}";

    /// <summary>Where to send what has this key.</summary>
    /// <param name="stage">One of <see cref="Counts"/>.</param>
    /// <param name="key">What must keep its order: equal keys go to one lane.</param>
    public Uri AddressOf(string stage, string key) =>
        options.Value.Transport == TransportKind.InMemory ? new Uri($"queue:{stage}") : new Uri($"exchange:{QueueOf(stage, LaneOf(key, Counts[stage]))}");

    /// <summary>The lane of a key, the same in every process and every version.</summary>
    internal static int LaneOf(string key, int lanes)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(key), digest);
        return (int)(BinaryPrimitives.ReadUInt32BigEndian(digest) % (uint)lanes);
    }
}
