using MassTransit;
using Notify.Telemetry;

namespace Notify.Dashboard;

/// <summary>Tells all workers every two seconds how this one does.</summary>
internal sealed partial class WorkerReporter(
    WorkerMeter meter, NotifyMetrics metrics, IBus bus, TimeProvider time, ILogger<WorkerReporter> logger) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    private readonly WorkerReport _worker = new()
    {
        WorkerId = Guid.NewGuid(),
        Host = Environment.MachineName,
        ProcessId = Environment.ProcessId,
        Version = NotifyApplication.Version,
        StartedAt = time.GetUtcNow(),
        At = time.GetUtcNow(),
        Seconds = 0,
    };

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (last, processor) = (time.GetTimestamp(), Environment.CpuUsage.TotalTime);
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            var (now, used) = (time.GetTimestamp(), Environment.CpuUsage.TotalTime);
            var report = meter.Fill(_worker) with
            {
                At = time.GetUtcNow(),
                Seconds = time.GetElapsedTime(last, now).TotalSeconds,
                MemoryBytes = Environment.WorkingSet,
                ProcessorSeconds = (used - processor).TotalSeconds,
                PushesInHand = metrics.InHand.Count,
                OldestInHandSeconds = metrics.InHand.Oldest.TotalSeconds,
                Failures = metrics.RecentFailures.Take(),
            };
            (last, processor) = (now, used);
            try
            {
                // Not worth a wait for a broker that is away, nor a place on its disk.
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                patience.CancelAfter(Interval);
                using var untraced = NotifyTracing.Suppress();
                await bus.Publish(report, context =>
                {
                    (context.Durable, context.TimeToLive) = (false, 5 * Interval);
                    NotifyTracing.LeaveUntraced(context);
                }, patience.Token);
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stoppingToken.IsCancellationRequested)
            {
                LogUnpublished(exception.GetType().Name);
            }
        }
    }

    [LoggerMessage(LogLevel.Debug, "The other workers could not be told how this one does ({Reason})")]
    private partial void LogUnpublished(string reason);
}
