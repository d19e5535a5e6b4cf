using System.Diagnostics;
using Notify.Tests;

namespace Notify.IntegrationTests.Containers;

/// <summary>What secrets/make makes, in a folder of the test's own.</summary>
internal sealed class SecretFiles : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("notify-secrets-");

    public string Folder => Path.Combine(_root.FullName, "secrets");

    /// <summary>The files that were made.</summary>
    public IEnumerable<string> Names => Directory.EnumerateFiles(Folder).Select(path => Path.GetFileName(path)!).Where(name => name != "make");

    /// <summary>Runs the script as its user does.</summary>
    public static async Task<SecretFiles> MakeAsync(string subject)
    {
        var files = new SecretFiles();
        var programs = Path.Combine(files._root.FullName, "programs");
        Directory.CreateDirectory(files.Folder);
        Directory.CreateDirectory(programs);
        File.Copy(Path.Combine(Repository.Root, "secrets", "make"), Path.Combine(files.Folder, "make"));

        // 'dotnet run --project ... -- ARGUMENTS' without building once more.
        var dotnet = Path.Combine(programs, "dotnet");
        await File.WriteAllTextAsync(dotnet, $"#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nPATH='{Environment.GetEnvironmentVariable("PATH")}' exec dotnet '{typeof(NotifyApplication).Assembly.Location}' \"$@\"\n");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(dotnet, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        Assert.Equal(0, await files.RunAsync(programs, subject));
        return files;
    }

    public string Read(string name) => File.ReadAllText(Path.Combine(Folder, name)).TrimEnd('\n');

    /// <summary>Writes another value in the place of a part of one.</summary>
    public void Change(string name, string part, string other)
    {
        Assert.Contains(part, Read(name), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(Folder, name), Read(name).Replace(part, other, StringComparison.Ordinal));
    }

    /// <summary>Runs it once more.</summary>
    /// <returns>The exit code.</returns>
    public Task<int> MakeAgainAsync(string subject) => RunAsync(Path.Combine(_root.FullName, "programs"), subject);

    public void Dispose() => _root.Delete(recursive: true);

    private async Task<int> RunAsync(string programs, string subject)
    {
        var start = new ProcessStartInfo(Path.Combine(Folder, "make"), [subject]) { WorkingDirectory = _root.FullName, RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment["PATH"] = $"{programs}:{Environment.GetEnvironmentVariable("PATH")}";
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        TestContext.Current.TestOutputHelper?.WriteLine($"{await output}{await error}");
        return process.ExitCode;
    }
}
