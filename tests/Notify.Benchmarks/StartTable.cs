using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Notify.Benchmarks;

/// <summary>
/// How long the embedded default takes from the start of its process until <c>/health/ready</c> answers 200, as a Markdown table: of each build the first start,
/// in an empty folder, and a second one in the same. Rounds of all builds are interleaved and medians are shown.
/// </summary>
internal static class StartTable
{
    private const int Rounds = 5;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(10);

    internal static async Task<int> PrintAsync(TextWriter output)
    {
        var published = Directory.CreateTempSubdirectory("notify-start-published-");
        try
        {
            var runtime = RuntimeInformation.RuntimeIdentifier;
            List<Build> builds =
            [
                new("Debug, as `dotnet run` starts it", await BuildAsync("Debug")),
                new("Release", await BuildAsync("Release")),
                new(
                    "published, ReadyToRun",
                    await DotnetAsync(published.FullName, "publish", "-c", "Release", "-r", runtime, "-p:PublishReadyToRun=true", "--self-contained", "false", "-o", published.FullName)),
            ];
            using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };

            // The first round brings the files into memory and is not counted.
            for (var round = 0; round <= Rounds; round++)
            {
                foreach (var build in builds)
                {
                    var folder = Directory.CreateTempSubdirectory("notify-start-");
                    try
                    {
                        var (first, second) = (await StartAsync(build, folder.FullName, http), await StartAsync(build, folder.FullName, http));
                        if (round > 0)
                        {
                            build.First.Add(first);
                            build.Second.Add(second);
                        }
                    }
                    finally
                    {
                        folder.Delete(recursive: true);
                    }
                }
            }

            Print(output, builds);
            return 0;
        }
        finally
        {
            published.Delete(recursive: true);
        }
    }

    private static void Print(TextWriter output, List<Build> builds)
    {
        output.WriteLine($"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSDescription}, {Environment.ProcessorCount} cores, median of {Rounds} interleaved rounds");
        output.WriteLine();
        output.WriteLine("| | first start, s | second start, s | processor, s | resident, MB |");
        output.WriteLine("| --- | ---: | ---: | ---: | ---: |");
        foreach (var build in builds)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {build.Name} | {Median(build.First, start => start.Seconds):N2} | {Median(build.Second, start => start.Seconds):N2} | {Median(build.First, start => start.ProcessorSeconds):N2} | {Median(build.First, start => start.Megabytes):N0} |"));
        }
    }

    /// <summary>Starts the service in a folder, asks until it is ready, and stops it.</summary>
    /// <exception cref="InvalidOperationException">It ended by itself, or is not ready in time.</exception>
    private static async Task<Start> StartAsync(Build build, string folder, HttpClient http)
    {
        var (url, localPush) = ($"http://localhost:{FreePort()}", $"http://localhost:{FreePort()}");
        var info = new ProcessStartInfo("dotnet", [Path.Combine(build.Folder, "Notify.dll")]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var key in info.Environment.Keys.Where(IsSetting).ToList())
        {
            info.Environment.Remove(key);
        }

        info.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        info.Environment["ASPNETCORE_URLS"] = url;
        info.Environment["Notify__LocalPushService__Url"] = localPush;
        info.Environment["ConnectionStrings__Notify"] = $"Data Source={Path.Combine(folder, "notify.db")}";

        var started = Stopwatch.GetTimestamp();
        using var process = Process.Start(info)!;
        var texts = Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        try
        {
            while (!await IsReadyAsync(http, $"{url}/health/ready"))
            {
                if (process.HasExited || Stopwatch.GetElapsedTime(started) > Patience)
                {
                    process.Kill();
                    throw new InvalidOperationException($"{build.Name} did not start: {string.Concat(await texts)}");
                }

                await Task.Delay(AskEvery);
            }

            var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            process.Refresh();
            return new Start(seconds, process.TotalProcessorTime.TotalSeconds, process.WorkingSet64 / 1e6);
        }
        finally
        {
            await StopAsync(process);
        }
    }

    private static async Task<bool> IsReadyAsync(HttpClient http, string url)
    {
        try
        {
            using var response = await http.GetAsync(url);
            return response.StatusCode == HttpStatusCode.OK;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }

    private static async Task StopAsync(Process process)
    {
        if (OperatingSystem.IsWindows())
        {
            process.Kill();
        }
        else if (!process.HasExited)
        {
            // .NET itself can only kill.
            using var kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
            await kill.WaitForExitAsync();
        }

        await process.WaitForExitAsync();
    }

    private static Task<string> BuildAsync(string configuration) => DotnetAsync(Path.Combine(Project, "bin", configuration, "net10.0"), "build", "-c", configuration);

    /// <summary>Builds or publishes the service.</summary>
    /// <returns>The folder given, where it lies then.</returns>
    private static async Task<string> DotnetAsync(string folder, string command, params IEnumerable<string> options)
    {
        using var dotnet = Process.Start(new ProcessStartInfo("dotnet", [command, Project, .. options, "-nologo", "-v", "quiet"]) { RedirectStandardOutput = true })!;
        var text = await dotnet.StandardOutput.ReadToEndAsync();
        await dotnet.WaitForExitAsync();
        return dotnet.ExitCode == 0 ? folder : throw new InvalidOperationException($"'dotnet {command} {string.Join(' ', options)}' failed: {text}");
    }

    private static string Project => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../../src/Notify"));

    private static bool IsSetting(string name) =>
        name.StartsWith("Notify__", StringComparison.OrdinalIgnoreCase) || name.StartsWith("ConnectionStrings__", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("ASPNETCORE_", StringComparison.OrdinalIgnoreCase) || name.StartsWith("OTEL_", StringComparison.OrdinalIgnoreCase);

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static double Median(IEnumerable<Start> starts, Func<Start, double> value)
    {
        var sorted = starts.Select(value).Order().ToList();
        return sorted[sorted.Count / 2];
    }

    private sealed record Start(double Seconds, double ProcessorSeconds, double Megabytes);

    private sealed record Build(string Name, string Folder)
    {
        public List<Start> First { get; } = [];

        public List<Start> Second { get; } = [];
    }
}
