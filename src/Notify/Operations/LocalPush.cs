using Microsoft.Extensions.Options;
using Notify.LocalPushService;
using Notify.Sending;

namespace Notify.Operations;

/// <summary>In Development, runs a push service beside the service and lets endpoints name it.</summary>
internal sealed partial class LocalPush(
    IOptions<LocalPushOptions> options, PushServiceAllowList allowList, TimeProvider time, ILoggerFactory loggers, ILogger<LocalPush> logger) : IHostedService, IAsyncDisposable
{
    /// <summary>The server; null if another process of this machine runs it.</summary>
    public LocalPushServer? Server { get; private set; }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            Server = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = options.Value.Url, TimeProvider = time, LoggerFactory = loggers }, cancellationToken);
            allowList.AllowOrigin(Server.Url);
            LogListening(Server.Url);
        }
        catch (IOException)
        {
            allowList.AllowOrigin(new Uri(options.Value.Url));
            LogShared(options.Value.Url);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask DisposeAsync() => Server?.DisposeAsync() ?? ValueTask.CompletedTask;

    [LoggerMessage(LogLevel.Information, "Local push service listening on {Url}")]
    private partial void LogListening(Uri url);

    [LoggerMessage(LogLevel.Warning, "The port of {Url} is in use: taking it that another worker on this machine runs the local push service there. If it is something else, set Notify__LocalPushService__Url")]
    private partial void LogShared(string url);
}
