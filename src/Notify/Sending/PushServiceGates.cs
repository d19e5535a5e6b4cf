using System.Collections.Concurrent;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Internal;
using Microsoft.Extensions.Options;

namespace Notify.Sending;

/// <summary>The gate of each push service, by its host (and port, where that is not the default).</summary>
/// <remarks>One that nothing passes for an hour is forgotten: hosts come from browsers, and under an allowed suffix there may be any number of them.</remarks>
public sealed class PushServiceGates(IOptions<SendingOptions> options, TimeProvider time, ILogger<PushServiceGate> logger) : IDisposable
{
    private static readonly TimeSpan Idle = TimeSpan.FromHours(1);

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
            return known!;
        }

        lock (_lock)
        {
            return _gates.GetOrCreate(host, entry =>
            {
                var gate = new PushServiceGate(host, options.Value, time, logger);
                entry.SlidingExpiration = Idle;
                entry.RegisterPostEvictionCallback((_, _, _, _) => _all.TryRemove(new KeyValuePair<string, PushServiceGate>(host, gate)));
                return _all[host] = gate;
            })!;
        }
    }

    /// <summary>The gates of all push services that something passed lately.</summary>
    public IReadOnlyCollection<PushServiceGate> All() => [.. _all.Values];

    /// <inheritdoc />
    public void Dispose() => _gates.Dispose();

    private sealed class Clock(TimeProvider time) : ISystemClock
    {
        public DateTimeOffset UtcNow => time.GetUtcNow();
    }
}
