using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Notify.IntegrationTests.Brokers;
using Notify.Tests;

namespace Notify.IntegrationTests.Browsers;

/// <summary>
/// Debian's Chromium. Its own push client is pointed at <see cref="GooglePushService"/> by its switches, and its notifications go where they go on every Linux desktop, to
/// the notification service on the session's D-Bus (<see cref="NotificationDaemon"/>).
/// </summary>
public sealed class Chromium : WebBrowser
{
    private readonly GooglePushService _google;
    private readonly HttpClient _http = new();
    private NotificationDaemon? _notifications;
    private Process? _process;

    private Chromium(GooglePushService google, CancellationToken ct)
        : base(ct) => _google = google;

    /// <inheritdoc />
    public override string Name => "Chrome on Linux";

    /// <summary>Starts it before this push service.</summary>
    public static async Task<Chromium> StartAsync(GooglePushService google, CancellationToken ct)
    {
        var (browser, driver, bus) = (Find("chromium", "chromium"), Find("chromedriver", "chromium-driver"), Find("dbus-daemon", "dbus"));
        var chromium = new Chromium(google, ct);
        try
        {
            await chromium.LaunchAsync(browser, driver, bus);
            return chromium;
        }
        catch
        {
            await chromium.DisposeAsync();
            throw;
        }
    }

    private async Task LaunchAsync(string browser, string driver, string bus)
    {
        _notifications = await NotificationDaemon.StartAsync(bus, Ct);

        // ChromeDriver listens at two addresses; a port of its own choice may be free at one of them alone, and then it ends.
        (_process, var port) = await LoopbackPorts.UseAsync(1, ports =>
        {
            var start = new ProcessStartInfo(driver, [$"--port={ports[0]}"]);
            start.Environment["DBUS_SESSION_BUS_ADDRESS"] = _notifications.Address;
            return LaunchAsync(start, line => line.Split("started successfully on port ") is [_, var told] ? told.TrimEnd('.') : null);
        });
        _http.BaseAddress = new Uri($"http://127.0.0.1:{port}/");

        // ChromeDriver takes no chunked body.
        using var capabilities = new StringContent(JsonSerializer.Serialize(Capabilities(browser)));
        using var session = await _http.PostAsync("session", capabilities, Ct);
        var answer = (await session.Content.ReadFromJsonAsync<JsonNode>(Ct))!["value"]!;
        Assert.True(session.IsSuccessStatusCode, (string?)answer["message"]);
        await DriveAsync(await WebDriver.JoinAsync(new Uri((string)answer["capabilities"]!["webSocketUrl"]!), Ct));
    }

    private object Capabilities(string browser) => new
    {
        capabilities = new
        {
            alwaysMatch = new Dictionary<string, object>
            {
                ["webSocketUrl"] = true,
                ["goog:chromeOptions"] = new
                {
                    binary = browser,
                    args = (string[])
                    [
                        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update", "--disable-sync",
                        $"--user-data-dir={Path.Combine(Home, "profile")}",
                        $"--gcm-checkin-url={_google.CheckinUrl}", $"--gcm-registration-url={_google.RegistrationUrl}", $"--gcm-mcs-endpoint={_google.ConnectionUrl}",

                        // The connection for push messages is TLS; its certificate is nobody's.
                        "--ignore-certificate-errors",
                    ],

                    // ChromeDriver would switch off what push messages need.
                    excludeSwitches = (string[])["disable-background-networking", "disable-push-api-background-mode"],
                    prefs = new Dictionary<string, object> { ["profile.default_content_setting_values.notifications"] = 1 },
                },
            },
        },
    };

    /// <inheritdoc />
    public override async Task BlockAsync() => await Driver.SendAsync(
        "permissions.setPermission",
        new { descriptor = new { name = "notifications" }, state = "denied", origin = (string)(await EvaluateAsync("location.origin"))! },
        Ct);

    /// <inheritdoc />
    /// <remarks>What its settings page does itself.</remarks>
    public override async Task BlockSiteDataAsync()
    {
        await NavigateAsync(new Uri("chrome://settings/content"));
        await RunAsync(Context, "chrome.send('setDefaultValueForContentType', ['cookies', 'block'])");
    }

    /// <inheritdoc />
    /// <remarks>Not by getNotifications: Chromium forgets what a page asks for while it is on its way to the screen.</remarks>
    protected override Task<IReadOnlyList<ShownNotification>> NotificationsAsync() => Task.FromResult(Notifications.Shown);

    /// <inheritdoc />
    public override Task ClickNotificationAsync() => Notifications.ClickAsync(action: null);

    /// <inheritdoc />
    public override Task ClickActionAsync(string action, string label) => Notifications.ClickAsync(label);

    /// <inheritdoc />
    public override async Task WaitForTabsAsync(params Uri[] urls)
    {
        var expected = urls.Select(url => url.AbsoluteUri).Order(StringComparer.Ordinal).ToList();
        await Eventually.GetAsync(TabsAsync, tabs => tabs.SequenceEqual(expected), Patience);

        async Task<List<string>> TabsAsync()
        {
            var tree = await Driver.SendAsync("browsingContext.getTree", new { maxDepth = 0 }, Ct);
            return [.. tree["contexts"]!.AsArray().Select(context => (string)context!["url"]!).Order(StringComparer.Ordinal)];
        }
    }

    /// <inheritdoc />
    public override Task SetOfflineAsync(bool isOffline)
    {
        _google.IsReachable = !isOffline;
        return Task.CompletedTask;
    }

    /// <inheritdoc />
    protected override async Task SetSchemeAsync(bool dark) => await Driver.SendAsync(
        "goog:cdp.sendCommand",
        new
        {
            method = "Emulation.setEmulatedMedia",
            @params = new { features = new[] { new { name = "prefers-color-scheme", value = dark ? "dark" : "light" } } },
            session = (string)(await Driver.SendAsync("goog:cdp.getSession", new { context = Context }, Ct))["session"]!,
        },
        Ct);

    // The driver ends the browser when it is asked to; killed with all that it started, it needs no asking.
    protected override async Task EndAsync()
    {
        if (_process is not null)
            await KillAsync(_process);
        if (_notifications is not null)
            await _notifications.DisposeAsync();
        _http.Dispose();
    }

    private NotificationDaemon Notifications => _notifications ?? throw new InvalidOperationException("Chromium has not been started.");
}
