using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Notify.LocalPushService;

namespace Notify.Tests.LocalPushService;

/// <summary>A push service on a free port with a clock of its own, a user agent with one subscription, and an application server.</summary>
public abstract class LocalPushTest : IAsyncLifetime
{
    private LocalPushServer? _pushService;
    private LocalUserAgent? _userAgent;
    private LocalSubscription? _subscription;
    private ApplicationServer? _applicationServer;

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected FakeTimeProvider Time { get; } = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));

    protected LocalPushServer PushService => _pushService!;

    protected LocalUserAgent UserAgent => _userAgent!;

    protected LocalSubscription Subscription => _subscription!;

    protected ApplicationServer ApplicationServer => _applicationServer!;

    protected virtual LocalPushServiceOptions Options => new() { Url = "http://127.0.0.1:0", TimeProvider = Time };

    public virtual async ValueTask InitializeAsync()
    {
        _pushService = await LocalPushServer.StartAsync(Options, Ct);
        _applicationServer = new ApplicationServer(PushService, Time);
        _userAgent = await LocalUserAgent.ConnectAsync(PushService.Url, Ct);
        _subscription = await UserAgent.SubscribeAsync(ApplicationServer.PublicKey, Ct);
    }

    public async ValueTask DisposeAsync()
    {
        await UserAgent.DisposeAsync();
        ApplicationServer.Dispose();
        await PushService.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected async Task<string> NextTextAsync() => Encoding.UTF8.GetString((await UserAgent.Received.ReadAsync(Ct)).Content);

    /// <summary>Refused with that status and reason, in Mozilla's style, without a word of the endpoint; and a good one passes after it.</summary>
    protected async Task AssertRefusedAsync(HttpRequestMessage request, HttpStatusCode status, string reason)
    {
        using HttpResponseMessage response = await ApplicationServer.SendAsync(request);
        string body = await response.Content.ReadAsStringAsync(Ct);
        Assert.Equal((status, reason), (response.StatusCode, Reason(body)));
        Assert.DoesNotContain(Subscription.Endpoint.Split('/')[^1], body, StringComparison.Ordinal);

        using HttpResponseMessage good = await ApplicationServer.SendAsync(Subscription, "good");
        Assert.Equal(HttpStatusCode.Created, good.StatusCode);
        Assert.Equal("good", await NextTextAsync());
        Assert.Equal(1, PushService.AcceptedCount);
    }

    private static string Reason(string body)
    {
        JsonElement error = JsonElement.Parse(body);
        Assert.True(error.GetProperty("errno").GetInt32() > 100);
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
        Assert.NotEmpty(error.GetProperty("error").GetString()!);
        return error.GetProperty("reason").GetString()!;
    }
}
