using System.Diagnostics;
using System.Diagnostics.Metrics;
using Notify.Contracts;
using Notify.Sending;
using Notify.WebPush;

namespace Notify.Telemetry;

/// <summary>What the service counts and measures: the instruments of the meter <c>Notify</c>. docs/telemetry.md lists them.</summary>
/// <remarks>Units and attributes are OpenTelemetry's: seconds, <c>server.address</c>, <c>http.response.status_code</c>. No attribute names a user, a subscription or a message.</remarks>
public sealed class NotifyMetrics
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Notify";

    internal const string PushDuration = "notify.push.duration";
    internal const string PushLatency = "notify.push.latency";
    internal const string PushesDeferred = "notify.pushes.deferred";
    internal const string PushesFailed = "notify.pushes.failed";
    internal const string MessagesFannedOut = "notify.messages.fanned_out";
    internal const string PushesSent = "notify.pushes.sent";

    internal const string ServerAddress = "server.address";
    internal const string StatusCode = "http.response.status_code";
    internal const string Outcome = "notify.outcome";
    internal const string ReasonTag = "notify.reason";

    // From a push service nearby to the longest timeout, and from a moment to the days that a push may wait.
    private static readonly double[] DurationBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
    private static readonly double[] LatencyBounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400];

    private readonly Histogram<double> _pushDuration;
    private readonly Histogram<double> _pushLatency;
    private readonly Counter<long> _pushesDeferred;
    private readonly Counter<long> _pushesFailed;
    private readonly Counter<long> _messagesFannedOut;
    private readonly Counter<long> _pushesSent;
    private readonly Counter<long> _subscriptionChanges;
    private readonly Histogram<double> _deliveryLogLag;

    /// <summary>Makes the instruments.</summary>
    public NotifyMetrics(IMeterFactory meters, PushServiceGates gates, TimeProvider time)
    {
        InHand = new PushesInHand(time);
        var meter = meters.Create(MeterName);
        _pushDuration = meter.CreateHistogram(PushDuration, "s", "POSTs to push services, encryption included, by their outcome", advice: Bounds(DurationBounds));
        _pushLatency = meter.CreateHistogram(PushLatency, "s", "From the publishing of the event to the push service's 2xx", advice: Bounds(LatencyBounds));
        _pushesDeferred = meter.CreateCounter<long>(PushesDeferred, "{push}", "Pushes that wait for a later attempt, by why they do");
        _pushesFailed = meter.CreateCounter<long>(PushesFailed, "{push}", "Pushes given up, by the beginning of their reason");
        _messagesFannedOut = meter.CreateCounter<long>(MessagesFannedOut, "{message}", "Events taken in and cut into parts");
        _pushesSent = meter.CreateCounter<long>(PushesSent, "{push}", "Pushes given to the send stage by the fan-out");
        _subscriptionChanges = meter.CreateCounter<long>("notify.subscriptions.changes", "{subscription}", "Subscriptions registered, registered again, removed and expired");
        _deliveryLogLag = meter.CreateHistogram("notify.delivery_log.lag", "s", "From an outcome that goes over the bus to its row in the delivery log, of the oldest of a batch", advice: Bounds(LatencyBounds));
        meter.CreateObservableUpDownCounter("notify.pushes.in_hand", () => InHand.Count, "{push}", "Pushes that the send stage is at");
        meter.CreateObservableGauge("notify.pushes.in_hand.oldest", () => InHand.Oldest.TotalSeconds, "s", "How long the push that is at it the longest has been in hand");
        meter.CreateObservableUpDownCounter("notify.push_service.in_flight", () => Each(gates, gate => gate.InFlight), "{request}", "POSTs under way, of the places that a push service has");
        meter.CreateObservableGauge("notify.push_service.breaker", () => Each(gates, gate => (int)gate.Breaker), description: "0: pushes pass; 1: probed; 2: taken to be down, its pushes wait");
        meter.CreateObservableGauge("notify.push_service.rest", () => Each(gates, gate => gate.Rest.TotalSeconds), "s", "How much longer it wants to be left alone; 0 if it does not");
    }

    /// <summary>The pushes that this worker is at.</summary>
    public PushesInHand InHand { get; }

    /// <summary>The last failures, of which a count says too little.</summary>
    public RecentFailures RecentFailures { get; } = new();

    /// <summary>Counts a POST.</summary>
    /// <param name="pushService">Host of the push service.</param>
    /// <param name="outcome">What became of it.</param>
    /// <param name="took">How long it took.</param>
    public void Pushed(string pushService, PushOutcome outcome, TimeSpan took)
    {
        var tags = new TagList { { ServerAddress, pushService }, { Outcome, NameOf(outcome) } };
        if (outcome.Status is { } status)
        {
            tags.Add(StatusCode, status);
        }

        _pushDuration.Record(took.TotalSeconds, tags);
    }

    /// <summary>Counts an acceptance.</summary>
    /// <param name="pushService">Host of the push service.</param>
    /// <param name="age">Since the event was published.</param>
    public void Accepted(string pushService, TimeSpan age) => _pushLatency.Record(Math.Max(age.TotalSeconds, 0), new KeyValuePair<string, object?>(ServerAddress, pushService));

    /// <summary>Counts a push that waits.</summary>
    /// <param name="why">One of a few words.</param>
    public void Deferred(string why) => _pushesDeferred.Add(1, new KeyValuePair<string, object?>(ReasonTag, why));

    /// <summary>Counts a push that was given up, by the beginning of its reason: one of <see cref="PushFailureReasons"/>.</summary>
    public void Failed(PushFailed failure)
    {
        _pushesFailed.Add(1, new KeyValuePair<string, object?>(ReasonTag, WordOf(failure.Reason ?? "")));
        RecentFailures.Add(failure);
    }

    /// <summary>Counts an event whose parts were sent.</summary>
    public void FannedOut() => _messagesFannedOut.Add(1);

    /// <summary>Counts pushes given to the send stage.</summary>
    public void Sent(int pushes) => _pushesSent.Add(pushes);

    /// <summary>Counts a change of a subscription.</summary>
    /// <param name="change">registered, refreshed, removed or expired.</param>
    public void Changed(string change) => _subscriptionChanges.Add(1, new KeyValuePair<string, object?>("notify.change", change));

    /// <summary>Notes how far the delivery log is behind.</summary>
    public void Written(TimeSpan lag) => _deliveryLogLag.Record(Math.Max(lag.TotalSeconds, 0));

    /// <summary>An outcome's name, as an attribute's value.</summary>
    internal static string NameOf(PushOutcome outcome) => outcome switch
    {
        PushOutcome.Accepted => "accepted",
        PushOutcome.Expired => "expired",
        PushOutcome.RetryLater => "retry_later",
        PushOutcome.TooLarge => "too_large",
        PushOutcome.Unauthorised => "unauthorised",
        _ => "rejected",
    };

    private static string WordOf(string reason) => reason.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon ? reason[..colon] : reason;

    private static InstrumentAdvice<double> Bounds(double[] bounds) => new() { HistogramBucketBoundaries = bounds };

    private static IEnumerable<Measurement<T>> Each<T>(PushServiceGates gates, Func<PushServiceGate, T> value)
        where T : struct => gates.All().Select(gate => new Measurement<T>(value(gate), new KeyValuePair<string, object?>(ServerAddress, gate.Host)));
}
