using Notify.Contracts;
using Notify.Sending;

namespace Notify.Dashboard;

/// <summary>Event among workers: what one of them has done in the last seconds and how it stands. Every worker hears of every other, so that any of them can show all.</summary>
public sealed record WorkerReport
{
    /// <summary>The process, from its start to its end.</summary>
    public required Guid WorkerId { get; init; }

    /// <summary>The machine's or container's name.</summary>
    public required string Host { get; init; }

    /// <summary>The process's number on its machine.</summary>
    public required int ProcessId { get; init; }

    /// <summary>Version of the service.</summary>
    public required string Version { get; init; }

    /// <summary>When the process started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>The end of the time that is told of; where it is kept, when it came.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>How long that is.</summary>
    public required double Seconds { get; init; }

    /// <summary>Memory that the process has, in bytes.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Processor time that it took meanwhile, in seconds; with two cores up to twice <see cref="Seconds"/>.</summary>
    public double ProcessorSeconds { get; init; }

    /// <summary>Pushes taken from the bus, or out of a mailbox, and not done with.</summary>
    public int PushesInHand { get; init; }

    /// <summary>How long the oldest of them has been, in seconds.</summary>
    public double OldestInHandSeconds { get; init; }

    /// <summary>Events taken in meanwhile.</summary>
    public long MessagesFannedOut { get; init; }

    /// <summary>Pushes that the fan-out gave to the send stage meanwhile.</summary>
    public long PushesSent { get; init; }

    /// <summary>Pushes that were made to wait meanwhile, by why.</summary>
    public IReadOnlyDictionary<string, long> Deferred { get; init; } = new Dictionary<string, long>();

    /// <summary>Pushes given up meanwhile, by the beginning of their reason.</summary>
    public IReadOnlyDictionary<string, long> Failed { get; init; } = new Dictionary<string, long>();

    /// <summary>Times from publishing to acceptance, as <see cref="TimeBuckets"/> counts them.</summary>
    public IReadOnlyList<long> Latency { get; init; } = [];

    /// <summary>Each push service that something was posted to lately.</summary>
    public IReadOnlyList<PushServiceReport> PushServices { get; init; } = [];

    /// <summary>The last of the pushes given up meanwhile.</summary>
    public IReadOnlyList<PushFailed> Failures { get; init; } = [];
}

/// <summary>What a worker knows of one push service.</summary>
public sealed record PushServiceReport
{
    /// <summary>Its host (and port, where that is not the default).</summary>
    public required string Host { get; init; }

    /// <summary>POSTs by outcome.</summary>
    public IReadOnlyDictionary<string, long> Outcomes { get; init; } = new Dictionary<string, long>();

    /// <summary>POSTs by HTTP status; those without an answer under 0.</summary>
    public IReadOnlyDictionary<string, long> Statuses { get; init; } = new Dictionary<string, long>();

    /// <summary>How long they took, as <see cref="TimeBuckets"/> counts it.</summary>
    public IReadOnlyList<long> Durations { get; init; } = [];

    /// <summary>POSTs under way.</summary>
    public int InFlight { get; init; }

    /// <summary>What its breaker lets through.</summary>
    public BreakerState Breaker { get; init; }

    /// <summary>How much longer it wants to be left alone, in seconds.</summary>
    public double RestSeconds { get; init; }
}
