using System.Globalization;

namespace Notify.Benchmarks.Load;

/// <summary>Processor time of other processes, from /proc.</summary>
internal static class ProcessTimes
{
    // USER_HZ, which is 100 on every Linux that .NET runs on.
    private const double TicksPerSecond = 100;

    /// <summary>User and system time of these processes so far, with that of their children that have ended, in seconds.</summary>
    public static double Of(IEnumerable<int> processes) => processes.Sum(process => Fields(process) is { } fields ? fields[11..15].Sum(Number) / TicksPerSecond : 0);

    /// <summary>A process, its children and theirs.</summary>
    public static IReadOnlyList<int> TreeOf(int root)
    {
        var parents = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => char.IsAsciiDigit(name![0]))
            .Select(name => int.Parse(name!, CultureInfo.InvariantCulture)).Select(process => (Process: process, Fields: Fields(process)))
            .Where(known => known.Fields is not null).ToLookup(known => (int)Number(known.Fields![1]), known => known.Process);
        var found = new List<int> { root };
        for (var i = 0; i < found.Count; i++)
        {
            found.AddRange(parents[found[i]]);
        }

        return found;
    }

    /// <summary>The processes that were started with this in their environment, and their children.</summary>
    public static IReadOnlyList<int> WithEnvironment(string text) =>
        [.. Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0]) && Read($"{folder}/environ").Contains(text, StringComparison.Ordinal))
            .Select(folder => int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture))];

    // Those behind the program's name, which may hold anything; the first is the state, the second the parent.
    private static string[]? Fields(int process) => Read($"/proc/{process}/stat") is { Length: > 0 } stat ? stat[(stat.LastIndexOf(')') + 2)..].Split(' ') : null;

    private static long Number(string field) => long.Parse(field, CultureInfo.InvariantCulture);

    private static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It has ended.
            return "";
        }
    }
}
