using System.Globalization;
using System.Runtime.CompilerServices;
using MassTransit.RabbitMqTransport;
using RabbitMQ.Client;

namespace Notify.Messaging.RabbitMq.Delays;

/// <summary>
/// The queues in which RabbitMQ holds messages back, with no plugin: one for each of some fixed delays, in which every message lives as long as the queue's name
/// says, and from which the broker then moves it to the queue that its routing key names.
/// </summary>
/// <remarks>
/// <para>A delay of up to a minute is rounded up to the next of them. Of a longer one as much is waited as the longest that fits into it says, and what is left in another. So a message is never
/// early, and late by less than half a second, from five seconds on by a fifth, and by no more than ten seconds however long it is. All messages of a queue live equally long, so none waits
/// behind one that lives longer.</para>
/// <para>Queues of the shorter delays are declared before an endpoint starts, others when a delay first needs them. See docs/delayed-redelivery.md.</para>
/// </remarks>
internal static class DelayQueues
{
    /// <summary>Header of a message that is not to be handled before this moment, in milliseconds since 1970 (UTC): the endpoint holds it back again.</summary>
    public const string NotBeforeHeader = "Not-Before";

    /// <summary>The longest.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(1);

    // Each time round costs the broker and the lane a message.
    private static readonly TimeSpan LongestRoundedUp = TimeSpan.FromMinutes(1);

    // To declare one takes two seconds, which no longer counts from here on.
    private static readonly TimeSpan LongestAhead = TimeSpan.FromSeconds(45);

    private static readonly ConditionalWeakTable<IConnection, Declared> Declarations = [];

    /// <summary>The delays that have a queue, in ascending order.</summary>
    public static IReadOnlyList<TimeSpan> Rungs { get; } = [.. MakeRungs()];

    /// <summary>Those of the shorter delays.</summary>
    public static IReadOnlyList<TimeSpan> Ahead { get; } = [.. Rungs.TakeWhile(rung => rung <= LongestAhead)];

    /// <summary>The delay with a queue to wait in for this one: the next longer, or of more than a minute the next shorter, after which the rest of it is to be waited for.</summary>
    public static TimeSpan RungFor(TimeSpan delay) => delay <= LongestRoundedUp ? Rungs.First(rung => rung >= delay) : Rungs.Last(rung => rung <= delay);

    /// <summary>Name of the queue, and of the exchange before it.</summary>
    public static string NameOf(TimeSpan rung) => string.Create(CultureInfo.InvariantCulture, $"delay-{rung.TotalSeconds:0.##}s");

    /// <summary>Declares the queue of a rung, unless this connection has done so before.</summary>
    public static Task DeclareAsync(ConnectionContext connection, TimeSpan rung, TimeProvider time) => DeclareAsync(connection, [rung], time);

    /// <summary>Declares the queues of the shorter delays, so that none of them has to wait for its own.</summary>
    public static Task DeclareAheadAsync(ConnectionContext connection, TimeProvider time) => DeclareAsync(connection, Ahead, time);

    /// <summary>What the queue of a rung is declared with.</summary>
    public static QuorumQueue QueueOf(TimeSpan rung) => new(NameOf(rung), new Dictionary<string, object?>
    {
        ["x-queue-type"] = "quorum",
        ["x-message-ttl"] = (long)rung.TotalMilliseconds,

        // The default exchange takes a message to the queue that its routing key names; the key stays what it was.
        ["x-dead-letter-exchange"] = "",

        // Else a message could be lost on its way from here to there.
        ["x-dead-letter-strategy"] = "at-least-once",
        ["x-overflow"] = "reject-publish",
    });

    private static Task DeclareAsync(ConnectionContext connection, IReadOnlyList<TimeSpan> rungs, TimeProvider time) => Declarations.GetOrCreateValue(connection.Connection)
        .OnceAsync(rungs, missing => QuorumQueues.DeclareAsync(connection.Connection, [.. missing.Select(QueueOf)], time));

    private static IEnumerable<TimeSpan> MakeRungs()
    {
        for (var half = 1; half <= 10; half++)
        {
            yield return TimeSpan.FromSeconds(half / 2.0);
        }

        for (var seconds = 6L; seconds < Longest.TotalSeconds; seconds = Math.Max(seconds + 1, seconds * 6 / 5))
        {
            yield return TimeSpan.FromSeconds(seconds);
        }

        yield return Longest;
    }

    private sealed class Declared
    {
        private readonly Dictionary<TimeSpan, Task> _rungs = [];
        private Task _last = Task.CompletedTask;

        public Task OnceAsync(IReadOnlyList<TimeSpan> rungs, Func<IReadOnlyList<TimeSpan>, Task> declare)
        {
            lock (_rungs)
            {
                var missing = rungs.Where(rung => !_rungs.TryGetValue(rung, out var declared) || declared.IsFaulted || declared.IsCanceled).ToList();
                if (missing.Count > 0)
                {
                    // One after the other: the broker tells connections apart, not those who share one.
                    _last = AfterAsync(_last, () => declare(missing));
                    missing.ForEach(rung => _rungs[rung] = _last);
                }

                return Task.WhenAll(rungs.Select(rung => _rungs[rung]).Distinct());
            }
        }

        private static async Task AfterAsync(Task before, Func<Task> declare)
        {
            await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await declare();
        }
    }
}
