using System.Globalization;
using Notify.IntegrationTests.Brokers;

namespace Notify.IntegrationTests.Databases;

/// <summary>Debian's PostgreSQL: the folder that holds its programs, which are on no PATH.</summary>
internal sealed record PostgreSqlInstallation(string Programs)
{
    private const string Versions = "/usr/lib/postgresql";

    /// <summary>The newest installed version; skips the test where there is none (fails with NOTIFY_TEST_REQUIRE_ALL=1).</summary>
    public static PostgreSqlInstallation Find()
    {
        var newest = !Directory.Exists(Versions) ? null : Directory.EnumerateDirectories(Versions)
            .Where(version => int.TryParse(Path.GetFileName(version), CultureInfo.InvariantCulture, out _) && File.Exists($"{version}/bin/initdb"))
            .MaxBy(version => int.Parse(Path.GetFileName(version), CultureInfo.InvariantCulture));
        if (newest is not null)
            return new PostgreSqlInstallation($"{newest}/bin");

        const string reason = "PostgreSQL is not installed: apt-get install -y --no-install-recommends postgresql";
        if (Environment.GetEnvironmentVariable("NOTIFY_TEST_REQUIRE_ALL") == "1")
            Assert.Fail(reason);
        Assert.Skip(reason);
        return null;
    }

    /// <summary>Starts one of the programs, as the user postgres where the tests run as root: it refuses to be root's.</summary>
    public async Task<LeashedProcess> StartAsync(string folder, string program, string[] arguments, CancellationToken ct)
    {
        // Where the postmaster alone is killed, busy servers of it live on. So it is the first process of a namespace, with which the kernel
        // kills all others, and unshare's death is the postmaster's; the shared memory that a kill leaves goes with the IPC namespace.
        string[] asPostgres = Environment.IsPrivilegedProcess
            ? [
                "chown", "postgres:", folder, "&&",
                "exec", "unshare", "--ipc", "--pid", "--fork", "--kill-child",
                "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL",
            ]
            : ["exec"];
        string[] command = [.. asPostgres, .. ((string[])[$"{Programs}/{program}", .. arguments]).Select(word => $"'{word}'")];
        var script = Path.Combine(folder, $"start-{program}");
        await File.WriteAllTextAsync(script, $"#!/bin/sh\n{string.Join(' ', command)}\n", ct);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return LeashedProcess.Start(new RabbitMqInstallation(Root: "", Server: script), folder, script, new Dictionary<string, string>());
    }
}
