using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Notify.Benchmarks;

/// <summary>What the tables have in common: rows measured in turn, round after round, so that a busy machine slows all alike, and medians.</summary>
internal static class Measuring
{
    /// <summary>Holds this thread, and the processes that it starts from now on, to one core.</summary>
    internal static void PinToCore(int core)
    {
        if ((OperatingSystem.IsLinux() || OperatingSystem.IsWindows()) && core < Environment.ProcessorCount)
        {
            using var self = Process.GetCurrentProcess();
            self.ProcessorAffinity = 1 << core;
        }
    }

    internal static void PrintHeading(TextWriter output, int rounds)
    {
        output.WriteLine($"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}, one core, median of {rounds} interleaved rounds");
        output.WriteLine();
    }

    internal static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    /// <summary>What a program prints; null where it is not there.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    internal static string? ReadOutput(string program, IEnumerable<string> arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {output}");
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    /// <summary>What a script in the folder <c>node</c> prints; null where Node or the package is not there (<c>npm ci</c> in that folder).</summary>
    internal static string? ReadNodeOutput(string script, params IEnumerable<string> arguments)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "../../../node");
        return Directory.Exists(Path.Combine(folder, "node_modules")) ? ReadOutput("node", [Path.Combine(folder, script), .. arguments]) : null;
    }
}
