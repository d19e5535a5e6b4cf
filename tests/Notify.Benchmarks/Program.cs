using BenchmarkDotNet.Running;
using Notify.Benchmarks;

if (args is ["encryption", ..])
{
    return EncryptionTable.Print(Console.Out);
}

if (args is ["start", ..])
{
    return await StartTable.PrintAsync(Console.Out);
}

BenchmarkSwitcher.FromAssembly(typeof(EncryptionBenchmark).Assembly).Run(args);
return 0;
