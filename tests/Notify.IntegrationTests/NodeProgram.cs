using System.Diagnostics;
using Notify.Tests;

namespace Notify.IntegrationTests;

/// <summary>A program for Node with packages of its own; where those are not installed, the test is skipped with the line that installs them.</summary>
internal static class NodeProgram
{
    /// <param name="folder">Where its package.json is, from the root of the checkout.</param>
    /// <param name="arguments">The script and what it is given.</param>
    public static async Task<(int ExitCode, string Error)> RunAsync(string folder, params string[] arguments)
    {
        var path = Path.Combine(Repository.Root, folder);
        if (!Directory.Exists(Path.Combine(path, "node_modules")))
        {
            var missing = $"Packages for Node are not installed: npm ci --ignore-scripts --prefix {folder}";
            Assert.SkipUnless(Environment.GetEnvironmentVariable("NOTIFY_TEST_REQUIRE_ALL") == "1", missing);
            Assert.Fail(missing);
        }

        using var node = Process.Start(new ProcessStartInfo("node", arguments) { WorkingDirectory = path, RedirectStandardError = true })!;
        var error = await node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (node.ExitCode, error);
    }
}
