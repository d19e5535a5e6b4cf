using System.Globalization;
using Notify.IntegrationTests.RabbitMq;

namespace Notify.Benchmarks.Load;

/// <summary>
/// Pushes a second on the whole way, from events published to the push service's answers, with everything on this machine: Notify, the same with a consumer that does
/// nothing, and a worker in Node, in interleaved rounds; with <c>--builds</c> other builds of Notify too. Each round starts its worker anew and warms it up first.
/// </summary>
internal static class WholeWay
{
    private const int Users = 5_000;
    private const int PerUser = 2;

    public static async Task RunAsync(string[] args)
    {
        var rounds = Number(args, "--rounds", 3);
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
        ];
        if (only is not null)
        {
            cases = [.. cases.Where((_, index) => only.Contains($"{index}", StringComparison.Ordinal))];
        }

        foreach (var build in Text(args, "--builds")?.Split(',') ?? [])
        {
            cases = [.. cases, new(build, stage => stage.StartBuildAsync(build), pushes)];
        }

        await using var stage = await LoadStage.StartAsync(Users, PerUser);
        for (var round = 1; round <= rounds; round++)
        {
            foreach (var known in cases)
            {
                await MeasureAsync(stage, known, warmUp);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}, {known.Name}: {known.Rates[^1]:0} pushes a second; µs a push: {Stages(known, known.Times.Count - 1)}"));
            }
        }

        Console.WriteLine();
        Console.WriteLine("| | pushes/s | of the first | µs of processor time a push: worker, broker, database, push service, publisher |");
        Console.WriteLine("| --- | ---: | ---: | --- |");
        foreach (var known in cases)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {known.Name} | {Median(known.Rates):N0} | {Median(known.Rates) / Median(cases[0].Rates):0.00} | {Stages(known, null)} |"));
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

    private static async Task MeasureAsync(LoadStage stage, Case known, int warmUp)
    {
        await using var worker = await known.StartAsync(stage);

        await Measurement.WarmUpAsync(stage, worker, warmUp, known.ToNode, known.IsNothing);
        var measured = await Measurement.TakeAsync(stage, worker, known.Pushes, known.ToNode, known.IsNothing);
        known.Rates.Add(measured.Rate);
        known.Times.Add(measured.Microseconds);
        await worker.StopAsync();
    }

    private sealed record Case(string Name, Func<LoadStage, Task<WorkerProcess>> StartAsync, int Pushes, bool ToNode = false, bool IsNothing = false)
    {
        public List<double> Rates { get; } = [];

        public List<IReadOnlyDictionary<string, double>> Times { get; } = [];
    }
}
