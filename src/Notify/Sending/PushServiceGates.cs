using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Internal;
using Microsoft.Extensions.Options;

namespace Notify.Sending;

/// <summary>The gate of each push service, by its host (and port, where that is not the default).</summary>
/// <remarks>One that nobody asks for is forgotten, but no sooner than its longest rest would be over: hosts come from browsers, and under an allowed suffix there may be any number of them.</remarks>
public sealed class PushServiceGates(IOptions<SendingOptions> options, TimeProvider time, ILogger<PushServiceGate> logger) : IDisposable
{
    private static readonly TimeSpan Shown = TimeSpan.FromHours(1);

    // Longer than a push service may want to be left alone, by all or by one subscription, counted from its answer: its word would be forgotten with the gate.
    private readonly TimeSpan _idle = Shown + Longest(options.Value.MaxRetryDelay, PushServiceGate.LongestAlone);

    private readonly MemoryCache _gates = new(new MemoryCacheOptions { Clock = new Clock(time) });

    // The same ones: to look at all of them in the cache would keep them there.
    private readonly ConcurrentDictionary<string, PushServiceGate> _all = new();
    private readonly Lock _lock = new();

    /// <summary>The gate of the push service that an endpoint belongs to.</summary>
    public PushServiceGate Of(Uri endpoint)
    {
        var host = endpoint.Authority;
        if (_gates.TryGetValue(host, out PushServiceGate? known))
        {
            known!.AskedFor();
            return known;
        }

        lock (_lock)
        {
            return _gates.GetOrCreate(host, entry =>
            {
                var gate = new PushServiceGate(host, options.Value, time, logger);
                entry.SlidingExpiration = _idle;
                entry.RegisterPostEvictionCallback((_, _, _, _) => _all.TryRemove(new KeyValuePair<string, PushServiceGate>(host, gate)));
                return _all[host] = gate;
            })!;
        }
    }

    /// <summary>The gates of all push services that were asked for within an hour, or want to be left alone: of the others nothing is known.</summary>
    public IReadOnlyCollection<PushServiceGate> All() => [.. _all.Values.Where(gate => gate.NotAskedForSince < Shown || gate.Rest > TimeSpan.Zero)];

    /// <inheritdoc />
    public void Dispose() => _gates.Dispose();

    private static TimeSpan Longest(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private sealed class Clock(TimeProvider time) : ISystemClock
    {
        public DateTimeOffset UtcNow => time.GetUtcNow();
    }
}
