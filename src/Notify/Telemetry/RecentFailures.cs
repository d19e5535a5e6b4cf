using System.Collections.Concurrent;
using Notify.Contracts;

namespace Notify.Telemetry;

/// <summary>The last pushes that this worker gave up, for whoever looks; not more than <see cref="Most"/> since they were last taken.</summary>
public sealed class RecentFailures
{
    /// <summary>How many are kept.</summary>
    public const int Most = 20;

    private readonly ConcurrentQueue<PushFailed> _failures = new();

    /// <summary>Notes one.</summary>
    public void Add(PushFailed failure)
    {
        _failures.Enqueue(failure);
        while (_failures.Count > Most && _failures.TryDequeue(out _))
        {
        }
    }

    /// <summary>Takes those noted since the last call, oldest first.</summary>
    public IReadOnlyList<PushFailed> Take()
    {
        var taken = new List<PushFailed>();
        while (taken.Count < Most && _failures.TryDequeue(out var failure))
        {
            taken.Add(failure);
        }

        return taken;
    }
}
