using System.Diagnostics;

namespace Notify.Tests.Commands;

/// <summary>Runs the program as its user does, and takes down what it prints.</summary>
internal sealed record NotifyProcess(int ExitCode, string Output, string Error)
{
    public static Task<NotifyProcess> RunAsync(IReadOnlyDictionary<string, string> environment, params string[] arguments) => RunAsync(environment, _ => { }, arguments);

    /// <summary>The same in a folder that is prepared for it.</summary>
    public static async Task<NotifyProcess> RunAsync(IReadOnlyDictionary<string, string> environment, Action<string> prepare, params string[] arguments)
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            prepare(folder.FullName);
            var start = new ProcessStartInfo("dotnet", [typeof(NotifyApplication).Assembly.Location, .. arguments])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = folder.FullName,
            };
            foreach (var (key, value) in environment)
            {
                start.Environment[key] = value;
            }

            using var process = Process.Start(start)!;
            var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return new NotifyProcess(process.ExitCode, await output, await error);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
