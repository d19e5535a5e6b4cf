using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Sending;
using Notify.Store;
using Notify.Subscriptions;
using Notify.Tests;
using Notify.WebPush;

namespace Notify.IntegrationTests.Browsers;

/// <summary>
/// What a browser needs around it: the service at <see cref="Url"/> and a push service at <see cref="PushServiceWebSocketUrl"/>. Each can be
/// started anew at its address while the other, and the browser, stay.
/// </summary>
public sealed class BrowserHost : IAsyncDisposable
{
    private const string AnyPort = "http://127.0.0.1:0";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-browser-");
    private LocalPushServer _pushService;
    private NotifyService _service = null!;

    private BrowserHost(LocalPushServer pushService, GooglePushService? google) => (_pushService, Google) = (pushService, google);

    /// <summary>Where Notify is, with a trailing slash.</summary>
    public Uri Url => _service.Url;

    /// <summary>The push service's browser side.</summary>
    public Uri PushServiceWebSocketUrl => new UriBuilder(_pushService.Url) { Scheme = "ws" }.Uri;

    /// <summary>What stands before the push service, if the browser is Chromium.</summary>
    public GooglePushService? Google { get; }

    /// <summary>Makes POSTs fail.</summary>
    public PushFaults Faults => _pushService.Faults;

    /// <summary>How often the browser answered a push with each code; 100 alone is good.</summary>
    public IReadOnlyDictionary<int, long> AcknowledgementsByCode => _pushService.Status.AcknowledgementsByCode;

    /// <summary>What the service has logged, since it was last started.</summary>
    public IReadOnlyCollection<string> Log => _service.Logs.Lines;

    public static async Task<BrowserHost> StartAsync(BrowserKind browser, CancellationToken ct)
    {
        var isChromium = browser == BrowserKind.Chromium;
        var pushService = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = AnyPort, Origin = isChromium ? GooglePushService.Origin : null }, ct);
        var host = new BrowserHost(pushService, isChromium ? await GooglePushService.StartAsync(pushService, ct) : null);
        await host.StartServiceAsync(AnyPort);
        return host;
    }

    /// <summary>The subscriptions in the store, whoever owns them.</summary>
    public async Task<IReadOnlyList<Subscription>> SubscriptionsAsync(CancellationToken ct)
    {
        await using var db = await _service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(ct);
        return await db.Subscriptions.AsNoTracking().ToListAsync(ct);
    }

    /// <summary>What a user's <c>GET</c> answers.</summary>
    public async Task<JsonElement> GetAsync(string path, string userId, CancellationToken ct)
    {
        using var http = _service.ClientOf(userId);
        return await http.GetFromJsonAsync<JsonElement>(path, ct);
    }

    /// <summary>Subscribes a simulated user agent for a user, and returns the subscription's id.</summary>
    public async Task<Guid> SubscribeAnotherAsync(string userId, CancellationToken ct)
    {
        await using var browser = await LocalUserAgent.ConnectAsync(_pushService.Url, ct);
        return (await _service.SubscribeAsync(browser, userId)).Id;
    }

    /// <summary>Deletes a user's subscription.</summary>
    public async Task DeleteSubscriptionAsync(string userId, Guid id, CancellationToken ct)
    {
        using var http = _service.ClientOf(userId);
        using var response = await http.DeleteAsync($"api/subscriptions/{id}", ct);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
    }

    /// <summary>Posts the event to the service, under an id of its own, which is returned.</summary>
    public async Task<Guid> PostAsync(MessagePosted message)
    {
        var id = Guid.NewGuid();
        await _service.PostAsync(message with { MessageId = id });
        return id;
    }

    /// <summary>Waits until a message's one delivery has come to this state.</summary>
    public async Task<JsonElement> DeliveryAsync(Guid message, string state) =>
        (await Eventually.GetAsync(() => _service.DeliveriesAsync(message), rows => rows.Count == 1 && rows[0].GetProperty("state").GetString() == state))[0];

    /// <summary>Pushes to the one subscription what the service would not: any payload, or none at all. The push service has to take it.</summary>
    public async Task PushAsync(string? payload, CancellationToken ct)
    {
        var subscription = Assert.Single(await SubscriptionsAsync(ct));
        var keys = _service.Services.GetRequiredService<VapidKeyRing>().Current;
        if (payload is null)
        {
            var endpoint = new Uri(subscription.Endpoint);
            using var http = new HttpClient(CreateHandler());
            using var request = new HttpRequestMessage(HttpMethod.Post, endpoint) { Headers = { { "TTL", "60" } } };
            request.Headers.TryAddWithoutValidation("Authorization", _service.Services.GetRequiredService<VapidTokens>().GetAuthorization(endpoint, keys));
            using var response = await http.SendAsync(request, ct);
            Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        }
        else
        {
            var outcome = await _service.Services.GetRequiredService<PushServiceClient>().SendAsync(
                PushSubscription.Create(subscription.Endpoint, subscription.P256dh, subscription.Auth), new PushMessage(Encoding.UTF8.GetBytes(payload)), keys, ct);
            Assert.IsType<PushOutcome.Accepted>(outcome);
        }
    }

    /// <summary>Starts the service anew with a new VAPID pair; the old one is configured as a previous one.</summary>
    public async Task RotateVapidKeysAsync()
    {
        var old = _service.Services.GetRequiredService<VapidKeyRing>().Current;
        using var current = VapidKeyPair.Generate();
        await RestartServiceAsync(
            $"--Notify:Vapid:PublicKey={current.PublicKey}",
            $"--Notify:Vapid:PrivateKey={current.PrivateKey}",
            $"--Notify:Vapid:Previous:0:PublicKey={old.PublicKey}",
            $"--Notify:Vapid:Previous:0:PrivateKey={old.PrivateKey}");
    }

    /// <summary>Starts the service anew at the same address, on the same store.</summary>
    public async Task RestartServiceAsync(params string[] settings)
    {
        var url = Url.GetLeftPart(UriPartial.Authority);
        await _service.DisposeAsync();
        await StartServiceAsync(url, settings);
    }

    /// <summary>Starts the push service anew at the same address; it has lost all it knew.</summary>
    public async Task RestartPushServiceAsync(CancellationToken ct)
    {
        var url = _pushService.Url.GetLeftPart(UriPartial.Authority);
        await _pushService.DisposeAsync();
        _pushService = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = url }, ct);
    }

    // It finds the push service's port in use, and shares it as a second worker on one machine does.
    private async Task StartServiceAsync(string url, params string[] settings) =>
        _service = await NotifyService.StartAsync(_folder, LeadToGoogle, [$"--urls={url}", $"--Notify:LocalPushService:Url={_pushService.Url}", .. settings]);

    private void LeadToGoogle(WebApplicationBuilder builder)
    {
        if (Google is null)
            return;
        builder.Services.AddSingleton(provider => new PushServiceClient(
            new HttpClient(CreateHandler()), provider.GetRequiredService<VapidTokens>(), provider.GetRequiredService<TimeProvider>()));
    }

    private SocketsHttpHandler CreateHandler()
    {
        var handler = PushServiceClient.CreateHandler();
        Google?.Lead(handler);
        return handler;
    }

    public async ValueTask DisposeAsync()
    {
        await _service.DisposeAsync();
        if (Google is not null)
            await Google.DisposeAsync();
        await _pushService.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
