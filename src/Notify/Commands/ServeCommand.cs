using System.CommandLine;
using Microsoft.AspNetCore.Connections;

namespace Notify.Commands;

/// <summary>Without a command: starts the service and runs it until it is told to stop.</summary>
internal static partial class ServeCommand
{
    public static void AddTo(RootCommand root) => root.TakesConfiguration().SetAction(RunAsync);

    // It tells of a start that fails by a trace; what is worse than that, it tells all the same.
    private const string Host = "Microsoft.Extensions.Hosting.Internal.Host";

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        // Until it is ready, what goes wrong is told in a sentence (CommandLine).
        var isReady = false;
        await using var app = NotifyApplication.Create(arguments.Configuration(), builder => builder.Logging.AddFilter(Host, level => level == LogLevel.Critical || (isReady && level >= LogLevel.Information)));
        CheckAddresses(app.Configuration[WebHostDefaults.ServerUrlsKey]);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (Exception exception)
        {
            // What has started by then would take the end for a failure of its own; and why the start failed is what counts.
            await app.StopAsync(CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (exception is IOException { InnerException: AddressInUseException })
            {
                throw new UsageException($"{exception.Message} Another Notify, or another program, listens there: end it, or set ASPNETCORE_URLS to another address, such as http://localhost:5090.");
            }

            throw;
        }

        isReady = true;
        LogReady(app.Logger, NotifyApplication.AddressOf(app));
        await app.WaitForShutdownAsync(cancellationToken);
        return 0;
    }

    private static void CheckAddresses(string? urls)
    {
        foreach (var url in urls?.Split(';', StringSplitOptions.RemoveEmptyEntries) ?? [])
        {
            try
            {
                if (BindingAddress.Parse(url) is { IsUnixPipe: false, IsNamedPipe: false, Port: < 0 or > ushort.MaxValue })
                {
                    throw new FormatException();
                }
            }
            catch (FormatException)
            {
                throw new UsageException($"ASPNETCORE_URLS: '{url}' is not an address to listen at; write it as http://localhost:5080, several with a semicolon between them.");
            }
        }
    }

    [LoggerMessage(LogLevel.Information, "Notify is ready: open {Url} and try it")]
    private static partial void LogReady(ILogger logger, Uri url);
}
