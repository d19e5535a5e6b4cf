using System.Diagnostics.Metrics;
using System.Globalization;
using Notify.Sending;
using Notify.Telemetry;

namespace Notify.Dashboard;

/// <summary>Reads this worker's own instruments (<see cref="NotifyMetrics"/>): what they have counted since the last time they were asked.</summary>
internal sealed class WorkerMeter : IDisposable
{
    // Hosts come from browsers: beyond so many they are counted together.
    private const int MostPushServices = 50;
    private const string Others = "others";

    private readonly MeterListener _listener = new();
    private readonly PushServiceGates _gates;
    private readonly Lock _lock = new();
    private Counts _counts = new();

    /// <summary>Listens to the instruments of one service; a test may run several in a process.</summary>
    public WorkerMeter(IMeterFactory meters, PushServiceGates gates)
    {
        _gates = gates;
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == NotifyMetrics.MeterName && ReferenceEquals(instrument.Meter.Scope, meters) && !instrument.IsObservable)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument.Name, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument.Name, value, tags));
        _listener.Start();
    }

    /// <summary>Puts into a report what was counted since the last one.</summary>
    public WorkerReport Fill(WorkerReport report)
    {
        Counts counts;
        lock (_lock)
        {
            (counts, _counts) = (_counts, new Counts());
        }

        var gates = _gates.All().ToDictionary(gate => gate.Host);
        return report with
        {
            MessagesFannedOut = counts.MessagesFannedOut,
            PushesSent = counts.PushesSent,
            Deferred = counts.Deferred,
            Failed = counts.Failed,
            Latency = counts.Latency,
            PushServices =
            [
                .. counts.PushServices.Keys.Union(gates.Values.OrderByDescending(gate => gate.Breaker).ThenByDescending(gate => gate.InFlight).Select(gate => gate.Host)).Take(MostPushServices + 1).Select(host =>
                {
                    var service = counts.PushServices.GetValueOrDefault(host);
                    var gate = gates.GetValueOrDefault(host);
                    return new PushServiceReport
                    {
                        Host = host,
                        Outcomes = service?.Outcomes ?? [],
                        Statuses = service?.Statuses ?? [],
                        Durations = service?.Durations ?? [],
                        InFlight = gate?.InFlight ?? 0,
                        Breaker = gate?.Breaker ?? BreakerState.Closed,
                        RestSeconds = gate?.Rest.TotalSeconds ?? 0,
                    };
                }),
            ],
        };
    }

    public void Dispose() => _listener.Dispose();

    private void Note(string instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (_lock)
        {
            switch (instrument)
            {
                case NotifyMetrics.PushDuration:
                    var service = _counts.Of(Find(tags, NotifyMetrics.ServerAddress) as string ?? Others);
                    Add(service.Outcomes, Find(tags, NotifyMetrics.Outcome) as string ?? "", 1);
                    Add(service.Statuses, Find(tags, NotifyMetrics.StatusCode) is int status ? status.ToString(CultureInfo.InvariantCulture) : "0", 1);
                    service.Durations[TimeBuckets.Of(value)]++;
                    break;
                case NotifyMetrics.PushLatency:
                    _counts.Latency[TimeBuckets.Of(value)]++;
                    break;
                case NotifyMetrics.PushesDeferred:
                    Add(_counts.Deferred, Find(tags, NotifyMetrics.ReasonTag) as string ?? "", (long)value);
                    break;
                case NotifyMetrics.PushesFailed:
                    Add(_counts.Failed, Find(tags, NotifyMetrics.ReasonTag) as string ?? "", (long)value);
                    break;
                case NotifyMetrics.MessagesFannedOut:
                    _counts.MessagesFannedOut += (long)value;
                    break;
                case NotifyMetrics.PushesSent:
                    _counts.PushesSent += (long)value;
                    break;
            }
        }
    }

    private static object? Find(ReadOnlySpan<KeyValuePair<string, object?>> tags, string name)
    {
        foreach (var tag in tags)
        {
            if (tag.Key == name)
            {
                return tag.Value;
            }
        }

        return null;
    }

    private static void Add(Dictionary<string, long> counts, string name, long number) => counts[name] = counts.GetValueOrDefault(name) + number;

    private sealed class Counts
    {
        public long MessagesFannedOut { get; set; }

        public long PushesSent { get; set; }

        public Dictionary<string, long> Deferred { get; } = [];

        public Dictionary<string, long> Failed { get; } = [];

        public long[] Latency { get; } = new long[TimeBuckets.Count];

        public Dictionary<string, PushServiceCounts> PushServices { get; } = [];

        public PushServiceCounts Of(string host)
        {
            if (!PushServices.TryGetValue(host, out var service))
            {
                if (PushServices.Count >= MostPushServices)
                {
                    host = Others;
                }

                PushServices[host] = service = PushServices.GetValueOrDefault(host) ?? new PushServiceCounts();
            }

            return service;
        }
    }

    private sealed class PushServiceCounts
    {
        public Dictionary<string, long> Outcomes { get; } = [];

        public Dictionary<string, long> Statuses { get; } = [];

        public long[] Durations { get; } = new long[TimeBuckets.Count];
    }
}
