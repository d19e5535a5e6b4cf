using System.Diagnostics;
using System.Globalization;
using Notify.WebPush;

namespace Notify.Benchmarks.Load;

/// <summary>From the broker's confirm of an event to the push service's 2xx of each of its pushes, at a tenth, a half and four fifths of what the machine can do at most,
/// or of <c>--most</c> pushes a second, so that two builds are asked for the same.</summary>
internal static class Latency
{
    private const int Users = 5_000;
    private const int PerUser = 2;

    private static readonly double[] Shares = [0.1, 0.5, 0.8];

    public static async Task RunAsync(string[] args)
    {
        var seconds = WholeWay.Number(args, "--seconds", 20);
        await using var stage = await LoadStage.StartAsync(Users, PerUser);
        await using var worker = await stage.StartWorkerAsync();
        await Measurement.WarmUpAsync(stage, worker, WholeWay.Number(args, "--warm-up", 35));
        var max = (double)WholeWay.Number(args, "--most", 0);
        if (max == 0)
        {
            var most = new List<double>();
            for (var round = 0; round < 3; round++)
            {
                most.Add((await Measurement.TakeAsync(stage, worker, 20_000)).Rate);
            }

            max = WholeWay.Median(most);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"At most {max:N0} pushes a second."));
        Console.WriteLine();
        Console.WriteLine("| of the maximum | pushes/s | p50 ms | p99 ms | longest ms |");
        Console.WriteLine("| ---: | ---: | ---: | ---: | ---: |");
        for (var round = 0; round < WholeWay.Number(args, "--rounds", 1); round++)
        {
            foreach (var share in Shares)
            {
                var latencies = await MeasureAsync(stage, max * share, seconds);
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"| {share:P0} | {max * share:N0} | {At(latencies, 0.5):N0} | {At(latencies, 0.99):N0} | {latencies[^1]:N0} |"));
            }
        }
    }

    // Events are published when they are due, whether or not the others have arrived.
    private static async Task<List<double>> MeasureAsync(LoadStage stage, double rate, int seconds)
    {
        var events = (int)(rate * seconds / Measurement.Recipients / PerUser);
        var received = stage.Push.Received();
        await using var channel = await stage.OpenChannelAsync();
        var started = Stopwatch.GetTimestamp();
        var confirmed = new List<Task<(string Topic, DateTimeOffset At)>>();
        for (var i = 0; i < events; i++)
        {
            var due = TimeSpan.FromSeconds(i * (double)seconds / events) - Stopwatch.GetElapsedTime(started);
            if (due > TimeSpan.FromMilliseconds(1))
            {
                await Task.Delay(due);
            }

            confirmed.Add(PublishAsync(i));
        }

        var times = (await Task.WhenAll(confirmed)).ToDictionary(known => known.Topic, known => known.At);
        await stage.Push.ReceivedAsync(received + (events * Measurement.Recipients * PerUser));
        var answers = await stage.Push.AnswersAsync();
        return [.. times.SelectMany(known => answers[known.Key].Select(answered => Math.Max(0, (answered - known.Value).TotalMilliseconds))).Order()];

        async Task<(string Topic, DateTimeOffset At)> PublishAsync(int index)
        {
            var first = index * Measurement.Recipients;
            var posted = LoadStage.NewEvent([.. Enumerable.Range(first, Measurement.Recipients).Select(user => LoadStage.UserOf(user % Users))]);
            await LoadStage.PublishAsync(channel, posted);
            return (PushTopic.From($"{posted.MessageId}"), DateTimeOffset.UtcNow);
        }
    }

    private static double At(List<double> sorted, double share) => sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];
}
