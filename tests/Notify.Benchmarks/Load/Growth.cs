using System.Diagnostics;
using System.Globalization;
using Notify.IntegrationTests.Faults;

namespace Notify.Benchmarks.Load;

/// <summary>What a push costs as the work grows tenfold: subscriptions, backlog, lanes, push services, audiences; and the worker's memory.</summary>
internal static class Growth
{
    private const int PerUser = 2;
    private const int ColdPushes = 30_000;

    public static async Task RunAsync(string[] args)
    {
        var pushes = WholeWay.Number(args, "--pushes", 40_000);
        var warmUp = WholeWay.Number(args, "--warm-up", 20);
        var only = WholeWay.Text(args, "--only");
        var taken = new List<(string What, int Size, Measurement Measured)>();
        Console.WriteLine("| | | pushes/s | worker µs | broker µs | database µs | push service µs | publisher µs | worker MB |");
        Console.WriteLine("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach (var subscriptions in (int[])[1_000, 10_000, 100_000])
        {
            await TakeAsync("subscriptions", subscriptions, subscriptions, lanes: 8, pushServices: 1, backlog: 0);
        }

        foreach (var backlog in (int[])[50_000, 100_000, 200_000])
        {
            await TakeAsync("backlog, pushes", backlog, 10_000, lanes: 8, pushServices: 1, backlog);
        }

        foreach (var lanes in (int[])[2, 8, 80])
        {
            await TakeAsync("lanes", lanes, 10_000, lanes, pushServices: 1, backlog: 0);
        }

        foreach (var pushServices in (int[])[1, 10, 100])
        {
            await TakeAsync("push services", pushServices, 10_000, lanes: 8, pushServices, backlog: 0);
        }

        foreach (var recipients in (int[])[1, 10, 100])
        {
            await TakeAsync("recipients of an event", recipients, 10_000, lanes: 8, pushServices: 1, backlog: 0, recipients);
        }

        if (WholeWay.Text(args, "--plots") is { } folder)
        {
            Directory.CreateDirectory(folder);
            foreach (var group in taken.GroupBy(known => known.What))
            {
                var name = group.Key.Split(',')[0].Replace(' ', '-');
                await File.WriteAllTextAsync(
                    Path.Combine(folder, $"growth-{name}.svg"),
                    Plot.Draw(
                        $"{group.Key}, powers of ten",
                        new PlotLine("processor time a push, all processes, µs", [.. group.Select(known => (Math.Log10(known.Size), known.Measured.Microseconds.Values.Sum()))]),
                        new PlotLine("memory of the worker, MB", [.. group.Select(known => (Math.Log10(known.Size), known.Measured.ResidentMegabytes))])));
            }
        }

        async Task TakeAsync(string what, int size, int subscriptions, int lanes, int pushServices, int backlog, int recipients = Measurement.Recipients)
        {
            if (only is not null && !what.StartsWith(only, StringComparison.Ordinal))
            {
                return;
            }

            await using var stage = await LoadStage.StartAsync(subscriptions / PerUser, PerUser, pushServices);
            stage.Lanes = lanes;
            Measurement measured;
            await using (var worker = await stage.StartWorkerAsync())
            {
                await Measurement.WarmUpAsync(stage, worker, warmUp);
                measured = await Measurement.TakeAsync(stage, worker, pushes, recipients: recipients);
                await worker.StopAsync();
            }

            if (backlog > 0)
            {
                var received = stage.Push.Received();
                await stage.PublishAsync(backlog / PerUser / Measurement.Recipients, Measurement.Recipients);
                await using var worker = await stage.StartWorkerAsync();

                // Without the first, in which the process compiles itself.
                await stage.Push.ReceivedAsync(received + ColdPushes);
                var done = stage.Push.Received() - received;
                var (before, started) = (stage.Times(worker), Stopwatch.GetTimestamp());
                await stage.Push.ReceivedAsync(received + backlog);
                measured = Measurement.Since(stage, worker, (int)(backlog - done), before, started);
            }

            taken.Add((what, size, measured));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {what} | {size:N0} | {measured} |"));
        }
    }
}
