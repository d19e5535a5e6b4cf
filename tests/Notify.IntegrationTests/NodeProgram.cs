using System.Diagnostics;
using Notify.Tests;

namespace Notify.IntegrationTests;

/// <summary>A program for Node; where that or the packages that it needs are not installed, the test is skipped with the line that installs them.</summary>
internal static class NodeProgram
{
    /// <summary>One with packages of its own.</summary>
    /// <param name="folder">Where its package.json is, from the root of the checkout.</param>
    /// <param name="arguments">The script and what it is given.</param>
    public static async Task<(int ExitCode, string Error)> RunAsync(string folder, params string[] arguments)
    {
        var path = Path.Combine(Repository.Root, folder);
        if (!Directory.Exists(Path.Combine(path, "node_modules")))
        {
            Miss($"Packages for Node are not installed: npm ci --ignore-scripts --prefix {folder}");
        }

        return await StartAsync(path, arguments);
    }

    /// <summary>One that stands in the test, as a module, and needs no packages.</summary>
    /// <param name="script">The module's text.</param>
    /// <param name="arguments">What it is given, from <c>process.argv[1]</c> on.</param>
    public static async Task<(int ExitCode, string Error)> EvaluateAsync(string script, params string[] arguments)
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "node"))))
        {
            Miss("node is not installed: apt-get install -y nodejs");
        }

        return await StartAsync(Repository.Root, ["--input-type=module", "--eval", script, .. arguments]);
    }

    private static void Miss(string missing)
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("NOTIFY_TEST_REQUIRE_ALL") == "1", missing);
        Assert.Fail(missing);
    }

    private static async Task<(int ExitCode, string Error)> StartAsync(string path, string[] arguments)
    {
        using var node = Process.Start(new ProcessStartInfo("node", arguments) { WorkingDirectory = path, RedirectStandardError = true })!;
        var error = await node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (node.ExitCode, error);
    }
}
