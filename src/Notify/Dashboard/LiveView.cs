using Notify.Contracts;

namespace Notify.Dashboard;

/// <summary>How the service does now, all workers together.</summary>
/// <param name="At">When.</param>
/// <param name="Now">Rates and times of the last seconds.</param>
/// <param name="PushServices">Each push service.</param>
/// <param name="Workers">Each worker.</param>
/// <param name="Deferred">Pushes made to wait, a second, by why.</param>
/// <param name="Failed">Pushes given up, a second, by the beginning of their reason.</param>
/// <param name="Failures">The last pushes given up, newest first.</param>
/// <param name="Backlog">What lies in queues and lines; null until it was first looked for.</param>
/// <param name="Browsers">Subscriptions by browser, most first; null until they were first counted.</param>
public sealed record LiveView(
    DateTimeOffset At, RateView Now, IReadOnlyList<PushServiceView> PushServices, IReadOnlyList<WorkerView> Workers, IReadOnlyDictionary<string, double> Deferred,
    IReadOnlyDictionary<string, double> Failed, IReadOnlyList<PushFailed> Failures, BacklogView? Backlog, IReadOnlyList<BrowserView>? Browsers);

/// <summary>What was done in a moment, all workers together; rates are a second, times in seconds.</summary>
/// <param name="At">The moment.</param>
/// <param name="FannedOut">Events taken in.</param>
/// <param name="Sent">Pushes that the fan-out gave to the send stage.</param>
/// <param name="Attempts">POSTs.</param>
/// <param name="Accepted">POSTs accepted.</param>
/// <param name="Deferred">Pushes made to wait.</param>
/// <param name="Failed">Pushes given up.</param>
/// <param name="PostP50">Half of the POSTs took no longer; null if there was none.</param>
/// <param name="PostP99">99 in a hundred took no longer.</param>
/// <param name="LatencyP50">Half of the accepted pushes had been published no longer ago.</param>
/// <param name="LatencyP99">99 in a hundred had been published no longer ago.</param>
/// <param name="PushServices">POSTs a second by push service.</param>
public sealed record RateView(
    DateTimeOffset At, double FannedOut, double Sent, double Attempts, double Accepted, double Deferred, double Failed, double? PostP50, double? PostP99, double? LatencyP50, double? LatencyP99,
    IReadOnlyDictionary<string, double> PushServices);

/// <summary>How one push service does, all workers together; rates are a second, times in seconds.</summary>
/// <param name="Host">Its host (and port, where that is not the default).</param>
/// <param name="Attempts">POSTs.</param>
/// <param name="Outcomes">POSTs by outcome.</param>
/// <param name="Statuses">POSTs by HTTP status; those without an answer under 0.</param>
/// <param name="PostP50">Half of the POSTs took no longer; null if there was none.</param>
/// <param name="PostP99">99 in a hundred took no longer.</param>
/// <param name="InFlight">POSTs under way.</param>
/// <param name="Breaker">closed, halfOpen or open: the worst of the workers'.</param>
/// <param name="RestSeconds">How much longer it wants to be left alone; 0 if it does not.</param>
public sealed record PushServiceView(
    string Host, double Attempts, IReadOnlyDictionary<string, double> Outcomes, IReadOnlyDictionary<string, double> Statuses, double? PostP50, double? PostP99, int InFlight, string Breaker, double RestSeconds);

/// <summary>How one worker does.</summary>
/// <param name="Id">The process, from its start to its end.</param>
/// <param name="Host">The machine's or container's name.</param>
/// <param name="ProcessId">The process's number on its machine.</param>
/// <param name="Version">Version of the service.</param>
/// <param name="StartedAt">When it started.</param>
/// <param name="At">When it was last heard of; one that has been silent for ten seconds is away.</param>
/// <param name="IsAway">Whether that is longer ago.</param>
/// <param name="MemoryBytes">Memory that it has.</param>
/// <param name="Processors">Processors that it keeps busy.</param>
/// <param name="Attempts">POSTs a second.</param>
/// <param name="InHand">Pushes taken from the bus, or out of a mailbox, whose turn has not ended.</param>
/// <param name="OldestInHandSeconds">How long the oldest of them has been.</param>
public sealed record WorkerView(
    Guid Id, string Host, int ProcessId, string Version, DateTimeOffset StartedAt, DateTimeOffset At, bool IsAway, long MemoryBytes, double Processors, double Attempts, int InHand, double OldestInHandSeconds);

/// <summary>Makes views out of what workers have reported.</summary>
internal static class LiveViews
{
    private static readonly TimeSpan AwayAfter = 5 * WorkerReporter.Interval;

    /// <summary>How it does now.</summary>
    public static LiveView Now(Workers workers, BacklogView? backlog, IReadOnlyList<BrowserView>? browsers, DateTimeOffset now)
    {
        var reports = workers.Reports();
        var last = reports.Select(each => each[^1]).ToList();
        var present = last.Where(report => now - report.At <= AwayAfter).ToList();
        return new LiveView(
            now,
            RateOf(now, present),
            [.. present.SelectMany(report => report.PushServices, (report, service) => (report, service)).GroupBy(each => each.service.Host).Select(ServiceOf).OrderByDescending(service => service.Attempts).ThenBy(service => service.Host, StringComparer.Ordinal)],
            [.. last.OrderBy(report => report.StartedAt).Select(report => WorkerOf(report, now))],
            Rates(present, report => report.Deferred),
            Rates(present, report => report.Failed),
            workers.Failures(),
            backlog,
            browsers);
    }

    /// <summary>How it did, in steps of the reports' interval, oldest first.</summary>
    public static IReadOnlyList<RateView> History(Workers workers)
    {
        var step = WorkerReporter.Interval.Ticks;
        return
        [
            .. workers.Reports().SelectMany(reports => reports)
                .GroupBy(report => report.At.UtcTicks / step)
                .OrderBy(moment => moment.Key)
                .Select(moment => RateOf(new DateTimeOffset(moment.Key * step, TimeSpan.Zero), [.. moment.GroupBy(report => report.WorkerId).SelectMany(OverAllOf)])),
        ];
    }

    // A report that comes a little early falls into the step of the one before it: both are then what was done in the time of both.
    private static IEnumerable<WorkerReport> OverAllOf(IEnumerable<WorkerReport> ofWorker)
    {
        var seconds = ofWorker.Sum(report => report.Seconds);
        return ofWorker.Select(report => report with { Seconds = seconds });
    }

    private static RateView RateOf(DateTimeOffset at, IReadOnlyList<WorkerReport> reports)
    {
        var durations = TimeBuckets.Sum(reports.SelectMany(report => report.PushServices, (_, service) => service.Durations));
        var latency = TimeBuckets.Sum(reports.Select(report => report.Latency));
        return new RateView(
            at,
            reports.Sum(report => Rate(report, report.MessagesFannedOut)),
            reports.Sum(report => Rate(report, report.PushesSent)),
            reports.Sum(report => Rate(report, AttemptsOf(report))),
            reports.Sum(report => Rate(report, report.PushServices.Sum(service => service.Outcomes.GetValueOrDefault("accepted")))),
            reports.Sum(report => Rate(report, report.Deferred.Values.Sum())),
            reports.Sum(report => Rate(report, report.Failed.Values.Sum())),
            TimeBuckets.Quantile(durations, 0.5),
            TimeBuckets.Quantile(durations, 0.99),
            TimeBuckets.Quantile(latency, 0.5),
            TimeBuckets.Quantile(latency, 0.99),
            reports.SelectMany(report => report.PushServices, (report, service) => (service.Host, Rate: Rate(report, service.Outcomes.Values.Sum()))).GroupBy(each => each.Host).ToDictionary(each => each.Key, each => each.Sum(service => service.Rate)));
    }

    private static PushServiceView ServiceOf(IGrouping<string, (WorkerReport Report, PushServiceReport Service)> each)
    {
        var durations = TimeBuckets.Sum(each.Select(one => one.Service.Durations));
        var worst = each.Max(one => one.Service.Breaker);
        return new PushServiceView(
            each.Key,
            each.Sum(one => Rate(one.Report, one.Service.Outcomes.Values.Sum())),
            Rates(each, one => one.Report, one => one.Service.Outcomes),
            Rates(each, one => one.Report, one => one.Service.Statuses),
            TimeBuckets.Quantile(durations, 0.5),
            TimeBuckets.Quantile(durations, 0.99),
            each.Sum(one => one.Service.InFlight),
            worst switch { Sending.BreakerState.Closed => "closed", Sending.BreakerState.HalfOpen => "halfOpen", _ => "open" },
            each.Max(one => one.Service.RestSeconds));
    }

    private static WorkerView WorkerOf(WorkerReport report, DateTimeOffset now) => new(
        report.WorkerId, report.Host, report.ProcessId, report.Version, report.StartedAt, report.At, now - report.At > AwayAfter, report.MemoryBytes, Rate(report, report.ProcessorSeconds),
        Rate(report, AttemptsOf(report)), report.PushesInHand, report.OldestInHandSeconds);

    private static long AttemptsOf(WorkerReport report) => report.PushServices.Sum(service => service.Outcomes.Values.Sum());

    private static double Rate(WorkerReport report, double count) => report.Seconds > 0 ? count / report.Seconds : 0;

    private static Dictionary<string, double> Rates(IEnumerable<WorkerReport> reports, Func<WorkerReport, IReadOnlyDictionary<string, long>> counts) => Rates(reports, report => report, counts);

    private static Dictionary<string, double> Rates<T>(IEnumerable<T> items, Func<T, WorkerReport> report, Func<T, IReadOnlyDictionary<string, long>> counts) => items
        .SelectMany(item => counts(item), (item, count) => (count.Key, Rate: Rate(report(item), count.Value)))
        .GroupBy(each => each.Key)
        .ToDictionary(each => each.Key, each => each.Sum(one => one.Rate));
}
