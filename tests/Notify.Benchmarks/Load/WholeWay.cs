using System.Globalization;
using Notify.IntegrationTests.RabbitMq;

namespace Notify.Benchmarks.Load;

/// <summary>
/// Pushes a second on the whole way, from events published to the push service's answers, with everything on this machine: Notify, the same with a consumer that does
/// nothing, and a worker in Node; with <c>--builds</c> other builds of Notify too. Each has a broker, a database and a push service of its own. A round starts all workers
/// anew and warms them up, and then takes them in turn, again and again: a machine's moods last longer than one turn.
/// </summary>
internal static class WholeWay
{
    private const int Users = 5_000;
    private const int PerUser = 2;

    public static async Task RunAsync(string[] args)
    {
        var rounds = Number(args, "--rounds", 2);
        var takes = Number(args, "--takes", 8);
        var pushes = Number(args, "--pushes", 40_000);
        var warmUp = Number(args, "--warm-up", 35);
        var only = Text(args, "--only");
        Case[] cases =
        [
            new("Notify", stage => stage.StartWorkerAsync(), pushes),
            new("Notify without its delivery log", stage => stage.StartWorkerAsync(("Notify__DeliveryLog__Enabled", "false")), pushes),
            new("the same topology, a consumer that does nothing", stage => stage.StartNothingAsync(), pushes, IsNothing: true),
            new("Node, the same job", stage => stage.StartNodeAsync("job"), pushes / 4, ToNode: true),
            new("Node, an event at a time", stage => stage.StartNodeAsync("event"), pushes / 4, ToNode: true),
            new("MassTransit as it comes, a consumer that does nothing", stage => stage.StartPlainAsync(), pushes, IsNothing: true),
        ];
        if (only is not null)
        {
            cases = [.. cases.Where((_, index) => only.Contains($"{index}", StringComparison.Ordinal))];
        }

        foreach (var build in Text(args, "--builds")?.Split(',') ?? [])
        {
            cases = [.. cases, new(build, stage => stage.StartBuildAsync(build), pushes)];
        }

        var stages = new List<LoadStage>();
        try
        {
            foreach (var _ in cases)
            {
                stages.Add(await LoadStage.StartAsync(Users, PerUser));
            }

            for (var round = 1; round <= rounds; round++)
            {
                await MeasureAsync(round, [.. cases.Zip(stages)], warmUp, takes);
            }
        }
        finally
        {
            foreach (var stage in stages)
            {
                await stage.DisposeAsync();
            }
        }

        Console.WriteLine();
        Console.WriteLine("| | pushes/s | of the first, turn by turn | µs of processor time a push: worker, broker, database, push service, publisher |");
        Console.WriteLine("| --- | ---: | ---: | --- |");
        foreach (var known in cases)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {known.Name} | {Median(known.Rates):N0} | {Median(known.Rates.Zip(cases[0].Rates, (rate, first) => rate / first)):0.00} | {Stages(known, null)} |"));
        }
    }

    internal static int Number(string[] args, string name, int otherwise) => Text(args, name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    internal static string? Text(string[] args, string name) => Array.IndexOf(args, name) is >= 0 and var index ? args[index + 1] : null;

    internal static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count % 2 == 1 ? sorted[sorted.Count / 2] : (sorted[(sorted.Count / 2) - 1] + sorted[sorted.Count / 2]) / 2;
    }

    private static string Stages(Case known, int? round) => string.Join(" + ", known.Times[0].Keys.Select(stage =>
        (round is { } index ? known.Times[index][stage] : Median(known.Times.Select(times => times[stage]))).ToString("0", CultureInfo.InvariantCulture)));

    private static async Task MeasureAsync(int round, IReadOnlyList<(Case Case, LoadStage Stage)> cases, int warmUp, int takes)
    {
        var workers = new List<WorkerProcess>();
        try
        {
            foreach (var (known, stage) in cases)
            {
                workers.Add(await known.StartAsync(stage));
                await Measurement.WarmUpAsync(stage, workers[^1], warmUp, known.ToNode, known.IsNothing);
            }

            for (var take = 1; take <= takes; take++)
            {
                foreach (var ((known, stage), worker) in cases.Zip(workers))
                {
                    var measured = await Measurement.TakeAsync(stage, worker, known.Pushes, known.ToNode, known.IsNothing);
                    known.Rates.Add(measured.Rate);
                    known.Times.Add(measured.Microseconds);
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}, {take}, {known.Name}: {measured.Rate:0} pushes a second; µs a push: {Stages(known, known.Times.Count - 1)}"));
                }
            }

            foreach (var worker in workers)
            {
                await worker.StopAsync();
            }
        }
        finally
        {
            foreach (var worker in workers)
            {
                await worker.DisposeAsync();
            }
        }
    }

    private sealed record Case(string Name, Func<LoadStage, Task<WorkerProcess>> StartAsync, int Pushes, bool ToNode = false, bool IsNothing = false)
    {
        public List<double> Rates { get; } = [];

        public List<IReadOnlyDictionary<string, double>> Times { get; } = [];
    }
}
