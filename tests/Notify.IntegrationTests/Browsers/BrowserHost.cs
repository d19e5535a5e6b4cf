using System.Collections.Concurrent;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;
using Notify.LocalPushService;
using Xunit;

namespace Notify.IntegrationTests.Browsers;

/// <summary>
/// What a browser needs around it: the files of wwwroot and the HTTP API at <see cref="Url"/>, a push service at
/// <see cref="PushServiceWebSocketUrl"/>, and a way to push. The one place that names what stands behind those.
/// </summary>
public sealed class BrowserHost : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly ConcurrentDictionary<string, JsonArray> _deliveries = new();
    private ApplicationServer _applicationServer = new();
    private LocalPushServer _pushService;

    private BrowserHost(WebApplication application, LocalPushServer pushService) => (_application, _pushService) = (application, pushService);

    /// <summary>Where Notify is, with a trailing slash.</summary>
    public Uri Url => new(_application.Urls.Single() + "/");

    /// <summary>The push service's browser side.</summary>
    public Uri PushServiceWebSocketUrl => new UriBuilder(_pushService.Url) { Scheme = "ws" }.Uri;

    /// <summary>The subscriptions that the API holds, by endpoint.</summary>
    public ConcurrentDictionary<string, Subscription> Subscriptions { get; } = new();

    /// <summary>When set, the API refuses subscriptions with this problem code.</summary>
    public string? RefuseSubscriptionsWith { get; set; }

    /// <summary>A subscription as the browser registered it.</summary>
    public sealed record Subscription(string Id, string UserId, string Endpoint, string P256dh, string Auth, string UserAgent, string? Replaces);

    public static async Task<BrowserHost> StartAsync(CancellationToken ct)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddCors();
        var pushService = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, ct);
        var host = new BrowserHost(builder.Build(), pushService);
        host.Map();
        await host._application.StartAsync(ct);
        return host;
    }

    /// <summary>How often the browser answered a push with each code; 100 alone is good.</summary>
    public IReadOnlyDictionary<int, long> AcknowledgementsByCode => _pushService.Status.AcknowledgementsByCode;

    /// <summary>Pushes to the one subscription; the push service has to take it.</summary>
    public async Task PushAsync(string? payload, CancellationToken ct) =>
        Assert.Equal(HttpStatusCode.Created, await _applicationServer.PushAsync(Assert.Single(Subscriptions.Values), payload, ct));

    /// <summary>A new application server key, as after a rotation; the next GET answers with it.</summary>
    public void RotateApplicationServerKey()
    {
        _applicationServer.Dispose();
        _applicationServer = new ApplicationServer();
    }

    /// <summary>Starts the push service anew at the same address; it has lost all it knew.</summary>
    public async Task RestartPushServiceAsync(CancellationToken ct)
    {
        var url = _pushService.Url.GetLeftPart(UriPartial.Authority);
        await _pushService.DisposeAsync();
        _pushService = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = url }, ct);
    }

    private void Map()
    {
        _application.UseCors(policy => policy.AllowAnyOrigin().AllowAnyHeader().AllowAnyMethod());
        _application.Use((context, next) =>
        {
            context.Response.Headers.ContentSecurityPolicy = "default-src 'self'";
            return next(context);
        });
        var files = new PhysicalFileProvider(SourceFolder());
        _application.UseDefaultFiles(new DefaultFilesOptions { FileProvider = files });
        _application.UseStaticFiles(new StaticFileOptions { FileProvider = files });

        var api = _application.MapGroup("/api");
        api.MapGet("/vapid-public-key", () => new { publicKey = _applicationServer.PublicKey });
        api.MapPost("/subscriptions", Register);
        api.MapGet("/subscriptions", (HttpContext context) => Subscriptions.Values.Where(each => each.UserId == UserId(context)).Select(each => new
        {
            id = each.Id,
            pushService = "127.0.0.1",
            userAgent = each.UserAgent,
            createdAt = TimeProvider.System.GetUtcNow(),
            lastAcceptedAt = (DateTimeOffset?)null,
        }));
        api.MapDelete("/subscriptions", (string endpoint) => Subscriptions.TryRemove(endpoint, out _) ? Results.NoContent() : Results.NotFound());
        api.MapDelete("/subscriptions/{id}", (string id) =>
            Subscriptions.Values.FirstOrDefault(each => each.Id == id) is { } found && Subscriptions.TryRemove(found.Endpoint, out _)
                ? Results.NoContent() : Results.NotFound());
        api.MapPost("/messages", PostMessage);
        api.MapGet("/messages/{messageId}/deliveries", (string messageId) => _deliveries.GetValueOrDefault(messageId) ?? []);
    }

    private IResult Register(HttpContext context, JsonObject body)
    {
        if (RefuseSubscriptionsWith is { } code)
            return Results.Problem("Refused by the test.", statusCode: 422, extensions: new Dictionary<string, object?> { ["code"] = code });
        var (endpoint, keys, replaces) = ((string)body["endpoint"]!, body["keys"]!, (string?)body["replaces"]);
        var isNew = !Subscriptions.TryGetValue(endpoint, out var known);
        if (replaces is not null)
            Subscriptions.TryRemove(replaces, out _);
        var id = known?.Id ?? Guid.NewGuid().ToString();
        Subscriptions[endpoint] = new(
            id, UserId(context), endpoint, (string)keys["p256dh"]!, (string)keys["auth"]!, context.Request.Headers.UserAgent.ToString(), replaces);
        return Results.Json(new { id, isNew }, statusCode: isNew ? 201 : 200);
    }

    private async Task<IResult> PostMessage(JsonObject body, CancellationToken ct)
    {
        var messageId = (string)body["messageId"]!;
        var recipients = body["recipientIds"]!.AsArray().Select(id => (string)id!).ToHashSet();
        var deliveries = new JsonArray();
        foreach (var subscription in Subscriptions.Values.Where(each => recipients.Contains(each.UserId)))
        {
            var notification = new { title = (string?)body["title"], body = (string?)body["body"], navigate = (string?)body["url"], tag = (string?)body["tag"] ?? messageId, data = new { messageId } };
            var status = await _applicationServer.PushAsync(subscription, JsonSerializer.Serialize(new { web_push = 8030, notification }), ct);
            deliveries.Add(JsonSerializer.SerializeToNode(new
            {
                subscriptionId = subscription.Id,
                userId = subscription.UserId,
                state = status == HttpStatusCode.Created ? "accepted" : "failed",
                attempts = 1,
                status = (int)status,
                reason = (string?)null,
                nextAttemptAt = (DateTimeOffset?)null,
                updatedAt = TimeProvider.System.GetUtcNow(),
            }));
        }
        _deliveries[messageId] = deliveries;
        return Results.Accepted();
    }

    private static string UserId(HttpContext context) => context.Request.Headers["X-Notify-User"].ToString();

    private static string SourceFolder([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../src/Notify/wwwroot"));

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync();
        await _application.DisposeAsync();
        await _pushService.DisposeAsync();
        _applicationServer.Dispose();
    }
}
