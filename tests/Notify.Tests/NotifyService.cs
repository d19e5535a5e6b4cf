using System.Net.Http.Json;
using System.Text.Json;
using MassTransit.InMemoryTransport;
using MassTransit.Transports;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Notify.LocalPushService;
using Notify.Operations;

namespace Notify.Tests;

/// <summary>The whole service as it ships, on a free port, with a store and a local push service of its own.</summary>
public sealed class NotifyService : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;
    private readonly bool _ownsFolder;
    private readonly WebApplication _app;

    private NotifyService(WebApplication app, DirectoryInfo folder, bool ownsFolder, LogCollector logs)
    {
        (_app, _folder, _ownsFolder, Logs) = (app, folder, ownsFolder, logs);
        Url = NotifyApplication.AddressOf(app);
        Push = app.Services.GetService<LocalPush>()?.Server!;
    }

    public Uri Url { get; }

    public LocalPushServer Push { get; }

    public LogCollector Logs { get; }

    public IServiceProvider Services => _app.Services;

    public static Task<NotifyService> StartAsync(params string[] settings) => StartAsync(null, null, settings);

    public static async Task<NotifyService> StartAsync(DirectoryInfo? folder, Action<WebApplicationBuilder>? configure, params string[] settings)
    {
        var ownFolder = folder ?? Directory.CreateTempSubdirectory("notify-test-");
        var logs = new LogCollector();
        var app = NotifyApplication.Create(
            [
                "--environment=Development",
                "--urls=http://127.0.0.1:0",
                $"--ConnectionStrings:Notify=Data Source={Path.Combine(ownFolder.FullName, "notify.db")}",
                "--Notify:LocalPushService:Url=http://127.0.0.1:0",
                .. settings,
            ],
            builder =>
            {
                builder.Logging.ClearProviders().AddProvider(logs);
                configure?.Invoke(builder);
            });
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new NotifyService(app, ownFolder, folder is null, logs);
    }

    /// <summary>A client that acts for this user.</summary>
    public HttpClient ClientOf(string userId)
    {
        var http = new HttpClient { BaseAddress = Url };
        http.DefaultRequestHeaders.Add("X-Notify-User", userId);
        return http;
    }

    /// <summary>Subscribes a browser for a user, over the API.</summary>
    public async Task<(LocalSubscription Subscription, Guid Id)> SubscribeAsync(LocalUserAgent browser, string userId)
    {
        using var http = ClientOf(userId);
        var key = await http.GetFromJsonAsync<JsonElement>("api/vapid-public-key", TestContext.Current.CancellationToken);
        var subscription = await browser.SubscribeAsync(key.GetProperty("publicKey").GetString(), TestContext.Current.CancellationToken);
        var registered = await RegisterAsync(http, subscription.ToJson());
        return (subscription, registered.GetProperty("id").GetGuid());
    }

    public static async Task<JsonElement> RegisterAsync(HttpClient http, string json)
    {
        using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        using var response = await http.PostAsync("api/subscriptions", content, TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
    }

    public async Task PostAsync(object message)
    {
        using var http = ClientOf("publisher");
        using var response = await http.PostAsJsonAsync("api/messages", message, TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    public async Task<IReadOnlyList<JsonElement>> DeliveriesAsync(Guid messageId)
    {
        using var http = ClientOf("publisher");
        return (await http.GetFromJsonAsync<List<JsonElement>>($"api/messages/{messageId}/deliveries", TestContext.Current.CancellationToken))!;
    }

    /// <summary>Lets the in-memory bus believe that a day has passed, so that what it holds back comes back.</summary>
    public async Task SkipWaitsAsync() => await ((IInMemoryDelayProvider)Services.GetRequiredService<IBusInstance>()).Advance(TimeSpan.FromDays(1));

    /// <summary>Waits until every delivery of a message has come to its end, skipping the waits between attempts.</summary>
    public async Task<IReadOnlyList<JsonElement>> SettledAfterWaitsAsync(Guid messageId, int count) =>
        await Eventually.GetAsync(
            async () =>
            {
                await SkipWaitsAsync();
                return await DeliveriesAsync(messageId);
            },
            rows => rows.Count == count && rows.All(row => row.GetProperty("state").GetString() != "retrying"));

    /// <summary>Waits until every delivery of a message has come to its end.</summary>
    public async Task<IReadOnlyList<JsonElement>> SettledDeliveriesAsync(Guid messageId, int count) =>
        await Eventually.GetAsync(
            () => DeliveriesAsync(messageId),
            rows => rows.Count == count && rows.All(row => row.GetProperty("state").GetString() != "retrying"));

    public async ValueTask DisposeAsync()
    {
        // One that does not stop fails its test rather than keeping all the others.
        await _app.StopAsync().WaitAsync(Eventually.Patience);
        await _app.DisposeAsync().AsTask().WaitAsync(Eventually.Patience);
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        if (_ownsFolder)
        {
            _folder.Delete(recursive: true);
        }
    }
}
