using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>A worker: the program as it ships, in a process of its own that can be killed, and that does not outlive the tests.</summary>
public sealed partial class WorkerProcess : IAsyncDisposable
{
    // The leash is the script's stdin: its end comes with any death of the tests. A session of its own keeps out signals to their process group.
    private const string Script = """
        exec 3<&0
        "$@" </dev/null 3<&- &
        child=$!
        echo "worker is process $child"
        ( while read -r _; do :; done; kill -s KILL "$child" ) <&3 >/dev/null 2>&1 &
        leash=$!
        wait "$child"
        code=$?
        kill "$leash"
        exit "$code"
        """;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly TaskCompletionSource<int> _id = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Uri> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private WorkerProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Take(line.Data);
        process.ErrorDataReceived += (_, line) => Take(line.Data);
        process.Exited += (_, _) => _ready.TrySetException(new InvalidOperationException("The worker ended:\n" + string.Join('\n', _lines)));
    }

    /// <summary>Where it listens.</summary>
    public Uri Url => _ready.Task.Result;

    public int ExitCode => _process.ExitCode;

    public int Id => _id.Task.Result;

    public bool HasExited => _process.HasExited;

    public IReadOnlyCollection<string> Lines => _lines;

    /// <summary>Its memory that is not swapped out, in megabytes.</summary>
    public double ResidentMegabytes
    {
        get
        {
            using var process = Process.GetProcessById(_id.Task.Result);
            return process.WorkingSet64 / 1e6;
        }
    }

    /// <summary>Starts a worker and waits until it is ready.</summary>
    /// <param name="settings">Environment variables.</param>
    public static Task<WorkerProcess> StartAsync(params (string Name, string Value)[] settings) => StartAsync(Launch(settings));

    /// <summary>Starts a worker by a command that becomes it, and waits until it is ready.</summary>
    public static Task<WorkerProcess> StartAsync(IReadOnlyList<string> command) => StartAsync(Launch(command, []));

    /// <summary>Starts a worker that is not expected to become ready, and waits for its end.</summary>
    /// <param name="settings">Environment variables.</param>
    public static Task<WorkerProcess> RunAsync(params (string Name, string Value)[] settings) => RunAsync(Launch(settings));

    /// <summary>The same by a command that becomes it.</summary>
    public static Task<WorkerProcess> RunAsync(IReadOnlyList<string> command) => RunAsync(Launch(command, []));

    private static async Task<WorkerProcess> StartAsync(WorkerProcess worker)
    {
        try
        {
            await worker._ready.Task.WaitAsync(TestContext.Current.CancellationToken);
            return worker;
        }
        catch
        {
            await worker.DisposeAsync();
            throw;
        }
    }

    private static async Task<WorkerProcess> RunAsync(WorkerProcess worker)
    {
        await worker._process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return worker;
    }

    /// <summary>kill -9; returns when it is gone.</summary>
    public Task KillAsync() => SignalAsync("KILL");

    /// <summary>SIGTERM; returns when it has ended.</summary>
    public Task StopAsync() => SignalAsync("TERM");

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private async Task SignalAsync(string signal)
    {
        using (Process.Start("kill", ["-s", signal, $"{await _id.Task}"]))
        {
        }

        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    private static WorkerProcess Launch((string Name, string Value)[] settings)
    {
        // Another build of the worker can be put to the same test.
        var program = Environment.GetEnvironmentVariable("NOTIFY_TEST_WORKER") is { Length: > 0 } other ? other : typeof(NotifyApplication).Assembly.Location;
        return Launch(["dotnet", program], [("ASPNETCORE_ENVIRONMENT", "Development"), ("ASPNETCORE_URLS", "http://127.0.0.1:0"), .. settings]);
    }

    private static WorkerProcess Launch(IReadOnlyList<string> command, IReadOnlyList<(string Name, string Value)> settings)
    {
        var start = new ProcessStartInfo("setsid", ["sh", "-c", Script, "sh", .. command]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        var worker = new WorkerProcess(process);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return worker;
    }

    private void Take(string? line)
    {
        if (line is null)
        {
            return;
        }

        _lines.Enqueue(line);
        if (Started().Match(line) is { Success: true } started)
        {
            _id.TrySetResult(int.Parse(started.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture));
        }

        if (Ready().Match(line) is { Success: true } match)
        {
            _ready.TrySetResult(new Uri(match.Groups[1].Value));
        }
    }

    [GeneratedRegex("^worker is process ([0-9]+)")]
    private static partial Regex Started();

    [GeneratedRegex("Notify is ready: open (http[^ ]+)")]
    private static partial Regex Ready();
}
