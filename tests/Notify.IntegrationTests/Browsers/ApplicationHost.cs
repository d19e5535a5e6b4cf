using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Notify.IntegrationTests.Browsers;

/// <summary>An application on an origin of its own, which imports the client module and the worker from Notify.</summary>
public sealed class ApplicationHost : IAsyncDisposable
{
    private readonly WebApplication _application;

    private ApplicationHost(WebApplication application) => _application = application;

    /// <summary>The application's page, with a trailing slash.</summary>
    public Uri Url => new(_application.Urls.Single() + "/");

    /// <summary>A worker of a part of it.</summary>
    public const string WorkerOfAPart = "/part/service-worker.js";

    /// <summary>A folder whose worker takes its browser for Safari.</summary>
    public const string AsInSafari = "/safari/";

    /// <summary>A page of it that has no module.</summary>
    public Uri Plain => new(Url, "/plain");

    /// <summary>Starts it on a free port; its page keeps the module in <c>notify</c> and what onMessage got in <c>arrived</c>.</summary>
    public static async Task<ApplicationHost> StartAsync(Uri notify, CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var application = builder.Build();
        application.MapGet("/{**any}", () => Results.Content($$"""
            <!doctype html><title>An application</title><script type="module">
            import * as notify from "{{notify}}notify.js";
            notify.configure({ headers: async () => ({ "X-Notify-User": "grace" }) });
            const arrived = [];
            const stop = notify.onMessage((notification) => arrived.push(notification));
            Object.assign(window, { notify, arrived, stop });
            </script>
            """, "text/html"));
        application.MapGet("/plain", () => Results.Content("<!doctype html><title>A page of another application's</title>", "text/html"));
        application.MapGet(WorkerOfAPart, () => Results.Content($"""importScripts("{notify}service-worker.js");""", "text/javascript"));

        application.MapGet($"{AsInSafari}service-worker.js", () => Results.Content($$"""
            Object.defineProperty(navigator, "userAgent", { value: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15" });
            importScripts("{{notify}}service-worker.js");
            """, "text/javascript"));

        // For browsers whose buttons cannot be clicked on.
        application.MapGet("/service-worker.js", () => Results.Content($$"""
            importScripts("{{notify}}service-worker.js");
            addEventListener("message", async ({ data: action }) => {
              const [notification] = await registration.getNotifications();
              dispatchEvent(new NotificationEvent("notificationclick", { notification, action }));
            });
            """, "text/javascript"));
        await application.StartAsync(ct);
        return new ApplicationHost(application);
    }

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync();
        await _application.DisposeAsync();
    }
}
