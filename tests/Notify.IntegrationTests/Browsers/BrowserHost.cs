using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Notify.IntegrationTests.Browsers;

/// <summary>
/// What a browser needs around it: the files of wwwroot and the HTTP API at <see cref="Url"/>, a push service at
/// <see cref="PushServiceWebSocketUrl"/>, and a way to push. The one place that names what stands behind those.
/// </summary>
public sealed class BrowserHost : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly StandInPushService _pushService = new();
    private readonly ConcurrentDictionary<string, JsonArray> _deliveries = new();
    private string _publicKey = NewPublicKey();

    private BrowserHost(WebApplication application) => _application = application;

    /// <summary>Where Notify is, with a trailing slash.</summary>
    public Uri Url => new(_application.Urls.Single() + "/");

    /// <summary>The push service's browser side.</summary>
    public Uri PushServiceWebSocketUrl => new UriBuilder(Url) { Scheme = "ws", Path = "/browser" }.Uri;

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
        var host = new BrowserHost(builder.Build());
        host.Map();
        await host._application.StartAsync(ct);
        return host;
    }

    /// <summary>Pushes to the one subscription and waits until its service worker is done; returns the browser's answer, 100 for good.</summary>
    public Task<int> PushAsync(string? payload, CancellationToken ct) =>
        PushAsync(Assert.Single(Subscriptions.Values), payload, ct);

    /// <summary>A new application server key, as after a rotation; the next GET answers with it.</summary>
    public void RotateApplicationServerKey() => _publicKey = NewPublicKey();

    /// <summary>Makes the push service drop this browser's subscriptions, as after a loss of its data.</summary>
    public void ForgetBrowser() => _pushService.ForgetBrowser();

    private Task<int> PushAsync(Subscription subscription, string? payload, CancellationToken ct)
    {
        var body = payload is null ? null : StandInPushService.Encrypt(Encoding.UTF8.GetBytes(payload), subscription.P256dh, subscription.Auth);
        return _pushService.PushAsync(subscription.Endpoint, body, ct);
    }

    private void Map()
    {
        _application.UseCors(policy => policy.AllowAnyOrigin().AllowAnyHeader().AllowAnyMethod());
        _application.UseWebSockets();
        _application.Use((context, next) =>
        {
            context.Response.Headers.ContentSecurityPolicy = "default-src 'self'";
            return next(context);
        });
        var files = new PhysicalFileProvider(SourceFolder());
        _application.UseDefaultFiles(new DefaultFilesOptions { FileProvider = files });
        _application.UseStaticFiles(new StaticFileOptions { FileProvider = files });
        _application.Map("/browser", ServeBrowserAsync);

        var api = _application.MapGroup("/api");
        api.MapGet("/vapid-public-key", () => new { publicKey = _publicKey });
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

    private async Task ServeBrowserAsync(HttpContext context)
    {
        var stopping = _application.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { SubProtocol = context.WebSockets.WebSocketRequestedProtocols.FirstOrDefault() });
        try
        {
            await _pushService.ServeAsync(socket, Url, stopping);
        }
        catch (Exception exception) when (exception is WebSocketException or OperationCanceledException)
        {
            // The browser has gone, or this host goes.
        }
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
            var code = await PushAsync(subscription, JsonSerializer.Serialize(new { web_push = 8030, notification }), ct);
            deliveries.Add(JsonSerializer.SerializeToNode(new
            {
                subscriptionId = subscription.Id,
                userId = subscription.UserId,
                state = code == 100 ? "accepted" : "failed",
                attempts = 1,
                status = 201,
                reason = (string?)null,
                nextAttemptAt = (DateTimeOffset?)null,
                updatedAt = TimeProvider.System.GetUtcNow(),
            }));
        }
        _deliveries[messageId] = deliveries;
        return Results.Accepted();
    }

    private static string UserId(HttpContext context) => context.Request.Headers["X-Notify-User"].ToString();

    private static string NewPublicKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return Base64Url.EncodeToString(StandInPushService.Point(key.ExportParameters(includePrivateParameters: false)));
    }

    private static string SourceFolder([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../src/Notify/wwwroot"));

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync();
        await _application.DisposeAsync();
        _pushService.Dispose();
    }
}
