using System.Globalization;
using BenchmarkDotNet.Running;
using Notify.Benchmarks;

switch (args)
{
    case ["encryption", ..]:
        return EncryptionTable.Print(Console.Out);
    case ["http", ..]:
        return HttpTable.Print(Console.Out);
    case ["http-load", var kind, var origin, var contentLength]:
        return await HttpLoad.RunAsync(Enum.Parse<HttpLoadKind>(kind), origin, int.Parse(contentLength, CultureInfo.InvariantCulture), Console.In, Console.Out);
    default:
        BenchmarkSwitcher.FromAssembly(typeof(EncryptionBenchmark).Assembly).Run(args);
        return 0;
}
