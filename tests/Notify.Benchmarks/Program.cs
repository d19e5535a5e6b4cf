using System.Globalization;
using BenchmarkDotNet.Running;
using Notify.Benchmarks;
using Notify.Benchmarks.Load;

switch (args)
{
    case ["encryption", ..]:
        return EncryptionTable.Print(Console.Out);
    case ["whole-way", .. var options]:
        await WholeWay.RunAsync(options);
        return 0;
    case ["latency", .. var options]:
        await Latency.RunAsync(options);
        return 0;
    case ["large-audience", .. var options]:
        await LargeAudience.RunAsync(options);
        return 0;
    case ["outage", .. var options]:
        await Outage.RunAsync(options);
        return 0;
    case ["growth", .. var options]:
        await Growth.RunAsync(options);
        return 0;
    case ["embedded", .. var options]:
        await Embedded.RunAsync(options);
        return 0;
    case [Embedded.BareLoop]:
        await Embedded.RunLoopAsync();
        return 0;
    case [NothingWorker.Command]:
        await NothingWorker.RunAsync();
        return 0;
    case [PlainWorker.Command]:
        await PlainWorker.RunAsync();
        return 0;
    case ["http", ..]:
        return HttpTable.Print(Console.Out);
    case ["start", ..]:
        return await StartTable.PrintAsync(Console.Out);
    case ["http-load", var kind, var origin, var contentLength]:
        return await HttpLoad.RunAsync(Enum.Parse<HttpLoadKind>(kind), origin, int.Parse(contentLength, CultureInfo.InvariantCulture), Console.In, Console.Out);
    default:
        BenchmarkSwitcher.FromAssembly(typeof(EncryptionBenchmark).Assembly).Run(args);
        return 0;
}
