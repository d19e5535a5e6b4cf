using System.Diagnostics;
using System.Globalization;
using Notify.IntegrationTests.RabbitMq;

namespace Notify.Benchmarks.Load;

/// <summary>What a number of pushes took.</summary>
/// <param name="Rate">Pushes a second, from the first event's publishing to the last push's answer.</param>
/// <param name="Microseconds">Processor time a push, by who used it.</param>
/// <param name="ResidentMegabytes">The worker's memory at the end.</param>
internal sealed record Measurement(double Rate, IReadOnlyDictionary<string, double> Microseconds, double ResidentMegabytes)
{
    /// <summary>Recipients of an event, unless something else is asked for.</summary>
    public const int Recipients = 10;

    /// <summary>Publishes events for so many pushes and waits until all are answered.</summary>
    /// <param name="stage">Where.</param>
    /// <param name="worker">Who makes them.</param>
    /// <param name="pushes">How many.</param>
    /// <param name="toNode">Whether it is the one in Node.</param>
    /// <param name="isNothing">Whether it is the one whose consumer does nothing.</param>
    /// <param name="recipients">Recipients of each event.</param>
    public static async Task<Measurement> TakeAsync(LoadStage stage, WorkerProcess worker, int pushes, bool toNode = false, bool isNothing = false, int recipients = Recipients)
    {
        var before = stage.Times(worker);
        var started = Stopwatch.GetTimestamp();
        if (isNothing)
        {
            var nothing = await NothingAsync(worker);
            await stage.PublishAsync(pushes / stage.PerUser / recipients, recipients, toNode);
            while (await NothingAsync(worker) < nothing + pushes)
            {
                await Task.Delay(20);
            }
        }
        else
        {
            var received = stage.Push.Received();
            await stage.PublishAsync(pushes / stage.PerUser / recipients, recipients, toNode);
            await stage.Push.ReceivedAsync(received + pushes);
        }

        return Since(stage, worker, pushes, before, started);
    }

    /// <summary>Has a worker make pushes for so long, until what it compiles meanwhile is compiled: that takes its time, however many they are.</summary>
    public static async Task WarmUpAsync(LoadStage stage, WorkerProcess worker, int seconds, bool toNode = false, bool isNothing = false)
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(seconds))
        {
            await TakeAsync(stage, worker, 10_000, toNode, isNothing);
        }
    }

    /// <summary>What was used since a moment.</summary>
    public static Measurement Since(LoadStage stage, WorkerProcess worker, int pushes, Dictionary<string, double> before, long started)
    {
        var rate = pushes / Stopwatch.GetElapsedTime(started).TotalSeconds;
        return new(rate, stage.Times(worker).ToDictionary(used => used.Key, used => (used.Value - before[used.Key]) * 1e6 / pushes), worker.ResidentMegabytes);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Rate:N0} | {string.Join(" | ", Microseconds.Values.Select(value => value.ToString("N0", CultureInfo.InvariantCulture)))} | {ResidentMegabytes:N0}");

    private static async Task<long> NothingAsync(WorkerProcess worker)
    {
        using var http = new HttpClient();
        return long.Parse(await http.GetStringAsync(new Uri(worker.Url, NothingWorker.CountPath)), CultureInfo.InvariantCulture);
    }
}
