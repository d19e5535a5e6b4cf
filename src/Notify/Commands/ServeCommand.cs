using System.CommandLine;

namespace Notify.Commands;

/// <summary>Without a command: starts the service and runs it until it is told to stop.</summary>
internal static partial class ServeCommand
{
    public static void AddTo(RootCommand root) => root.TakesConfiguration().SetAction(RunAsync);

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var app = NotifyApplication.Create(arguments.Configuration());
        await app.StartAsync(cancellationToken);
        LogReady(app.Logger, NotifyApplication.AddressOf(app));
        await app.WaitForShutdownAsync(cancellationToken);
        return 0;
    }

    [LoggerMessage(LogLevel.Information, "Notify is ready: open {Url} and try it")]
    private static partial void LogReady(ILogger logger, Uri url);
}
