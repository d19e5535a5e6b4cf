using System.Globalization;

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

    private static async Task<List<double>> MeasureAsync(LoadStage stage, double rate, int seconds)
    {
        var received = stage.Push.Received();
        var times = await stage.PublishAtAsync(rate, seconds);
        await stage.Push.ReceivedAsync(received + (times.Count * Measurement.Recipients * PerUser));
        return Of(times, await stage.Push.AnswersAsync());
    }

    /// <summary>Milliseconds from each event's confirm to the answers to its pushes, in ascending order.</summary>
    public static List<double> Of(IReadOnlyDictionary<string, DateTimeOffset> confirmed, ILookup<string, DateTimeOffset> answers) =>
        [.. confirmed.SelectMany(known => answers[known.Key].Select(answered => Math.Max(0, (answered - known.Value).TotalMilliseconds))).Order()];

    /// <summary>The least of them than which so large a share is not more.</summary>
    public static double At(List<double> sorted, double share) => sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];
}
