using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace Notify.Sending;

/// <summary>The gate of each push service, by its host (and port, where that is not the default).</summary>
/// <remarks>One that nothing passes for an hour is forgotten: hosts come from browsers, and under an allowed suffix there may be any number of them.</remarks>
public sealed class PushServiceGates(IOptions<SendingOptions> options, TimeProvider time, ILogger<PushServiceGate> logger) : IDisposable
{
    private static readonly TimeSpan Idle = TimeSpan.FromHours(1);

    private readonly MemoryCache _gates = new(new MemoryCacheOptions());
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
                entry.SlidingExpiration = Idle;
                return new PushServiceGate(host, options.Value, time, logger);
            })!;
        }
    }

    /// <summary>The gates of all push services that something passed lately.</summary>
    public IReadOnlyList<PushServiceGate> All() => [.. _gates.Keys.Select(host => _gates.TryGetValue(host, out PushServiceGate? gate) ? gate : null).OfType<PushServiceGate>()];

    /// <inheritdoc />
    public void Dispose() => _gates.Dispose();
}
