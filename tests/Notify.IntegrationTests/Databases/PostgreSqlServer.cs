using System.Diagnostics;
using System.Globalization;
using Notify.IntegrationTests.Brokers;
using Npgsql;

namespace Notify.IntegrationTests.Databases;

/// <summary>
/// A PostgreSQL of the tests' own: port, socket and data are its own, and nothing of it is left when it is disposed or the tests are killed.
/// It can be killed and started again on what it had written. Everybody on this machine may connect to it.
/// </summary>
public sealed class PostgreSqlServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-postgresql-");
    private readonly PostgreSqlInstallation _installation;
    private readonly string _port;
    private LeashedProcess? _process;

    private PostgreSqlServer(PostgreSqlInstallation installation, int port) =>
        (_installation, _port) = (installation, port.ToString(CultureInfo.InvariantCulture));

    /// <summary>The folder that holds all it writes.</summary>
    public string Folder => _folder.FullName;

    /// <summary>The ids of its processes, which all work in the data folder.</summary>
    internal IReadOnlyList<int> Processes =>
        [.. Directory.EnumerateDirectories("/proc").Where(process => char.IsAsciiDigit(Path.GetFileName(process)[0]))
            .Where(process => new DirectoryInfo($"{process}/cwd").LinkTarget?.Contains($"/{_folder.Name}/", StringComparison.Ordinal) == true)
            .Select(process => int.Parse(Path.GetFileName(process), CultureInfo.InvariantCulture))];

    private string Data => Path.Combine(Folder, "data");

    // Its first line is the postmaster's process id, its eighth the state.
    private string PidFile => Path.Combine(Data, "postmaster.pid");

    /// <summary>Starts an empty server, which takes some three seconds; or skips the test where PostgreSQL is not installed.</summary>
    public static Task<PostgreSqlServer> StartAsync(CancellationToken ct)
    {
        var installation = PostgreSqlInstallation.Find();
        return LoopbackPorts.UseAsync(1, async ports =>
        {
            var server = new PostgreSqlServer(installation, ports[0]);
            try
            {
                await server.CreateDataAsync(ct);
                await server.StartAgainAsync(ct);
                return server;
            }
            catch
            {
                await server.DisposeAsync();
                throw;
            }
        });
    }

    /// <summary>How Npgsql, and EF Core, connect to one of its databases; the user may do everything.</summary>
    public string ConnectionString(string database) =>
        // A pool of a finished test must not keep its connections from the others for Npgsql's five minutes.
        $"Host=127.0.0.1;Port={_port};Username=postgres;Database={database};Connection Idle Lifetime=10;Connection Pruning Interval=5";

    /// <summary>Makes an empty database with a name of its own, and returns its connection string.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = $"test_{Guid.NewGuid():N}";
        await using var connection = new NpgsqlConnection($"{ConnectionString("postgres")};Pooling=false");
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand($"CREATE DATABASE {name}", connection);
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        return ConnectionString(name);
    }

    /// <summary>Kills all its processes as a crash would (kill -9), and waits until they are gone. What was committed is not lost.</summary>
    public async Task KillAsync()
    {
        if (_process is null)
        {
            return;
        }

        if (Postmaster() is { } postmaster)
        {
            using (postmaster)
            {
                postmaster.Kill(entireProcessTree: true);
            }
        }

        await _process.EndAsync("KILL", Patience);
        await LeaveAsync();
    }

    /// <summary>Lets it shut down in order, without waiting for its clients (a fast shutdown), and waits until it is gone.</summary>
    public Task StopAsync() => EndInOrderAsync("INT");

    /// <summary>Starts it on its old data and port after it was killed or stopped, and waits until it takes connections.</summary>
    public async Task StartAgainAsync(CancellationToken ct)
    {
        if (_process is not null)
        {
            throw new InvalidOperationException("The server runs: kill or stop it first.");
        }

        // A killed one leaves it; by now its process id may be another program's, which PostgreSQL would take for itself.
        if (Directory.Exists(Data))
        {
            File.Delete(PidFile);
        }

        string[] settings =
        [
            "listen_addresses=127.0.0.1",
            $"port={_port}",
            $"unix_socket_directories={Folder}",
            "max_connections=300",
            "shared_buffers=256MB",
            // What a process wrote before it was killed is safe with the kernel. So a commit must be written before it is confirmed, but
            // waiting for the disk would only help where the whole machine goes down.
            "synchronous_commit=on",
            "fsync=off",
            // In the data folder instead of /dev/shm, where a kill would leave it.
            "dynamic_shared_memory_type=mmap",
        ];
        _process = await _installation.StartAsync(Folder, "postgres", ["-D", Data, .. settings.Select(setting => $"--{setting}")], ct);
        await WaitUntilAsync(() => IsReady() || (_process.HasExited ? throw new IOException($"PostgreSQL did not start. {LastWords()}") : false), ct);
    }

    private async Task CreateDataAsync(CancellationToken ct)
    {
        string[] arguments = ["-D", Data, "--username=postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        _process = await _installation.StartAsync(Folder, "initdb", arguments, ct);
        // Where it fails it leaves no data, and PostgreSQL will not start.
        await WaitUntilAsync(() => _process.HasExited, ct);
        await LeaveAsync();
    }

    private bool IsReady() => PidFileLines() is { Length: >= 8 } lines && lines[7].TrimEnd() == "ready";

    private async Task WaitUntilAsync(Func<bool> condition, CancellationToken ct)
    {
        var started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(started) > Patience)
            {
                throw new TimeoutException($"PostgreSQL did not get there. {LastWords()}");
            }

            await Task.Delay(Interval, ct);
        }
    }

    private string[] PidFileLines()
    {
        try
        {
            return File.ReadAllLines(PidFile);
        }
        catch (IOException)
        {
            return [];
        }
    }

    private string LastWords() => string.Join('\n', File.ReadLines(Path.Combine(Folder, "output")).TakeLast(40));

    // Not through the leash, which ends at unshare.
    private async Task EndInOrderAsync(string signal)
    {
        if (_process is null)
        {
            return;
        }

        if (Postmaster() is { } postmaster)
        {
            using (postmaster)
            using (var kill = Process.Start("sh", ["-c", $"kill -s {signal} {postmaster.Id}"]))
            {
                await kill.WaitForExitAsync();
            }
        }

        await WaitUntilAsync(() => _process.HasExited, CancellationToken.None);
        await LeaveAsync();
    }

    // By the process id it knows itself by: 1 where it is the first of a namespace.
    private Process? Postmaster()
    {
        if (PidFileLines() is not [var id, ..])
        {
            return null;
        }

        foreach (var process in Processes)
        {
            try
            {
                if (File.ReadLines($"/proc/{process}/status").Any(line => line.StartsWith("NSpid:", StringComparison.Ordinal) && line.EndsWith($"\t{id}", StringComparison.Ordinal)))
                {
                    return Process.GetProcessById(process);
                }
            }
            catch (Exception exception) when (exception is IOException or ArgumentException)
            {
                // It ended meanwhile.
            }
        }

        return null;
    }

    private async Task LeaveAsync()
    {
        await WaitUntilAsync(() => Processes.Count == 0, CancellationToken.None);
        _process?.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        // The quickest that is still in order (an immediate shutdown): PostgreSQL takes its shared memory with it.
        if (_process is { HasExited: false } && IsReady())
        {
            await EndInOrderAsync("QUIT");
        }

        await KillAsync();
        _folder.Delete(recursive: true);
    }
}
