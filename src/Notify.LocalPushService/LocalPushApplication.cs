using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebSockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Notify.LocalPushService;

/// <summary>
/// Routes requests. It sits on Kestrel directly, without a host: a host's request logs, traces and metrics would carry
/// endpoints, and mix with those of the program that this runs in.
/// </summary>
internal sealed partial class LocalPushApplication : IHttpApplication<HttpContext>
{
    private const string SubProtocol = "push-notification";

    private readonly WebSocketMiddleware _webSockets;
    private readonly SubscriptionStore _store;
    private readonly PushApi _pushApi;
    private readonly FaultsApi _faultsApi;
    private readonly Func<LocalPushStatus> _status;
    private readonly ILogger _logger;

    public LocalPushApplication(SubscriptionStore store, PushApi pushApi, FaultsApi faultsApi, Func<LocalPushStatus> status, ILogger logger)
    {
        _store = store;
        _pushApi = pushApi;
        _faultsApi = faultsApi;
        _status = status;
        _logger = logger;
        _webSockets = new WebSocketMiddleware(ConnectAsync, Options.Create(new WebSocketOptions()), NullLoggerFactory.Instance);
    }

    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }

    public async Task ProcessRequestAsync(HttpContext context)
    {
        try
        {
            await RouteAsync(context);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The client went away, or sent less than it announced.
            context.Abort();
        }
        catch (Exception e)
        {
            LogFailure(e.GetType().Name);
            throw;
        }
    }

    private async Task RouteAsync(HttpContext context)
    {
        PathString path = context.Request.Path;
        if (path.Value!.StartsWith(SubscriptionStore.PushPath, StringComparison.Ordinal))
        {
            if (!HttpMethods.IsPost(context.Request.Method))
            {
                context.Response.Headers.Allow = HttpMethods.Post;
                context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            }
            else if (await _pushApi.HandleAsync(context) is { } refusal)
            {
                LogRefusal(refusal.Status, refusal.Reason, refusal.Message);
            }
        }
        else if (path == "/faults")
        {
            await _faultsApi.HandleAsync(context);
        }
        else if (path == "/")
        {
            await _webSockets.Invoke(context);
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        }
    }

    private async Task ConnectAsync(HttpContext context)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            await context.Response.WriteAsJsonAsync(_status());
            return;
        }

        string? subProtocol = context.WebSockets.WebSocketRequestedProtocols.Contains(SubProtocol) ? SubProtocol : null;
        using var socket = await context.WebSockets.AcceptWebSocketAsync(subProtocol);
        await new BrowserConnection(socket, _store).RunAsync();
    }

    [LoggerMessage(LogLevel.Information, "Push message refused with {Status} {Reason}: {Message}")]
    private partial void LogRefusal(int status, string reason, string message);

    [LoggerMessage(LogLevel.Error, "Request failed: {Exception}")]
    private partial void LogFailure(string exception);
}
