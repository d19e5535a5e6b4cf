using System.Diagnostics;
using System.Globalization;
using Notify.IntegrationTests.RabbitMq;

namespace Notify.Benchmarks.Load;

/// <summary>
/// Two push services, of which each user has a subscription at either; one fails for a minute while events are published all the time. From the broker's confirm to
/// the other one's 2xx, before and meanwhile; and how long after the outage until the one that failed has what waited for it.
/// </summary>
internal static class Outage
{
    private const int Users = 5_000;
    private const int PerUser = 2;

    public static async Task RunAsync(string[] args)
    {
        var (rate, seconds) = (WholeWay.Number(args, "--rate", 1_000), WholeWay.Number(args, "--seconds", 60));
        await using var stage = await LoadStage.StartAsync(Users, PerUser, pushServices: 2, mayFail: true);
        await using var worker = await (WholeWay.Text(args, "--build") is { } build ? stage.StartBuildAsync(build) : stage.StartWorkerAsync());
        await Measurement.WarmUpAsync(stage, worker, WholeWay.Number(args, "--warm-up", 35));
        Console.WriteLine($"{rate} pushes a second, half of them to a push service that fails");
        Console.WriteLine();
        Console.WriteLine("| it | the other's p50 ms | p99 ms | longest ms | made by the end of the outage, s later all | worker µs | broker µs | database µs | worker MB |");
        Console.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (var fault in Enum.GetValues<PushServiceFault>())
        {
            await MeasureAsync(stage, worker, fault, rate, seconds);
        }

        await worker.StopAsync();
    }

    private static async Task MeasureAsync(LoadStage stage, WorkerProcess worker, PushServiceFault fault, int rate, int seconds)
    {
        var (healthy, failing) = (stage.Push.Origins[0], stage.Push.Origins[1]);
        var before = stage.Times(worker);
        stage.Push.Fail(failing, fault);
        var confirmed = await stage.PublishAtAsync(rate, seconds);
        var each = confirmed.Count * Measurement.Recipients * PerUser / 2;
        var after = stage.Times(worker);
        stage.Push.Fail(failing, PushServiceFault.None);
        var (ended, made) = (Stopwatch.GetTimestamp(), await MadeAsync(failing));
        while (await MadeAsync(failing) < each || await MadeAsync(healthy) < each)
        {
            if (Stopwatch.GetElapsedTime(ended) > TimeSpan.FromMinutes(10))
            {
                Console.WriteLine($"After ten minutes {await MadeAsync(failing)} and {await MadeAsync(healthy)} of {each} are made.");
                break;
            }

            await Task.Delay(500);
        }

        var latencies = Latency.Of(confirmed, await stage.Push.AnswersAsync(healthy));
        var used = after.ToDictionary(known => known.Key, known => (known.Value - before[known.Key]) * 1e6 / (2 * each));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {fault} | {Latency.At(latencies, 0.5):N0} | {Latency.At(latencies, 0.99):N0} | {latencies[^1]:N0} | {made:N0} of {each:N0}, {Stopwatch.GetElapsedTime(ended).TotalSeconds:0} | {used["worker"]:N0} | {used["broker"]:N0} | {used["database"]:N0} | {worker.ResidentMegabytes:N0} |"));

        async Task<int> MadeAsync(Uri origin)
        {
            var answers = await stage.Push.AnswersAsync(origin);
            return confirmed.Keys.Sum(topic => answers[topic].Count());
        }
    }
}
