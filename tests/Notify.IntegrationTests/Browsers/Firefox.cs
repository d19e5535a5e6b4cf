using System.Diagnostics;
using System.Text.Json;

namespace Notify.IntegrationTests.Browsers;

/// <summary>Firefox ESR. What lies around the page is reached by the browser's own scripts: its window, its question for permission, its notifications.</summary>
public sealed class Firefox : WebBrowser
{
    private Process? _process;

    private Firefox(CancellationToken ct)
        : base(ct)
    {
    }

    /// <inheritdoc />
    public override string Name => "Firefox on Linux";

    /// <summary>Starts it, its push service being the one whose browser side is at the given ws URL.</summary>
    public static async Task<Firefox> StartAsync(Uri pushService, CancellationToken ct)
    {
        var program = Find("firefox-esr", "firefox-esr");
        var firefox = new Firefox(ct);
        try
        {
            await firefox.LaunchAsync(program, pushService);
            return firefox;
        }
        catch
        {
            await firefox.DisposeAsync();
            throw;
        }
    }

    private async Task LaunchAsync(string program, Uri pushService)
    {
        var profile = Directory.CreateDirectory(Path.Combine(Home, "profile")).FullName;
        await File.WriteAllLinesAsync(Path.Combine(profile, "user.js"), Preferences(pushService), Ct);
        var start = new ProcessStartInfo(program, ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "--remote-allow-system-access"]);
        start.Environment["MOZ_DISABLE_NONLOCAL_CONNECTIONS"] = "1";
        start.Environment["MOZ_CRASHREPORTER_DISABLE"] = "1";
        (_process, var address) = await LaunchAsync(start, line => line.Split("WebDriver BiDi listening on ") is [_, var url] ? url : null);
        await DriveAsync(await WebDriver.ConnectAsync(new Uri(address), Ct));
    }

    private static IEnumerable<string> Preferences(Uri pushService)
    {
        var preferences = new Dictionary<string, object>
        {
            ["dom.push.serverURL"] = pushService.AbsoluteUri,
            ["dom.push.testing.allowInsecureServerURL"] = true,
            // WebDriver BiDi's recommended preferences turn the push connection off.
            ["dom.push.connection.enabled"] = true,
            ["dom.push.retryBaseInterval"] = 200,
            ["network.websocket.delay-failed-reconnects"] = false,
            ["network.manage-offline-status"] = false,
            ["permissions.default.desktop-notification"] = 1,
            ["alerts.useSystemBackend"] = false,
            ["services.settings.server"] = "data:,#remote-settings-dummy/v1",
        };
        return preferences.Select(pair => $"user_pref({JsonSerializer.Serialize(pair.Key)}, {JsonSerializer.Serialize(pair.Value)});");
    }

    /// <summary>From now on a page that wants to notify has to ask, as in a browser that is newly installed.</summary>
    public async Task AskForPermissionAsync() =>
        await RunAsync(await ChromeAsync(), "Services.prefs.setIntPref('permissions.default.desktop-notification', 0)");

    /// <summary>Answers the browser's question with its button Allow.</summary>
    public async Task AllowAsync()
    {
        // A click in the first half second after the question came counts as a mistake, and not at all.
        await WaitUntilAsync(await ChromeAsync(), """
            (() => {
              const question = PopupNotifications.getNotification("web-notifications");
              if (question) PopupNotifications.panel.querySelector("popupnotification")?.button?.click();
              return Services.perms.testPermissionFromPrincipal(gBrowser.contentPrincipal, "desktop-notification") === Services.perms.ALLOW_ACTION;
            })()
            """);
    }

    /// <inheritdoc />
    public override async Task BlockAsync() =>
        await RunAsync(await ChromeAsync(), "Services.perms.addFromPrincipal(gBrowser.contentPrincipal, 'desktop-notification', Services.perms.DENY_ACTION)");

    /// <inheritdoc />
    public override async Task BlockSiteDataAsync() =>
        await RunAsync(await ChromeAsync(), "Services.prefs.setIntPref('network.cookie.cookieBehavior', Ci.nsICookieService.BEHAVIOR_REJECT)");

    /// <inheritdoc />
    /// <remarks>Three seconds after each push.</remarks>
    public override async Task LookAtQuotaAsync() => await WaitUntilAsync(
        await ChromeAsync(), "ChromeUtils.importESModule('resource://gre/modules/PushService.sys.mjs').PushService._updateQuotaTimeouts.size === 0");

    /// <inheritdoc />
    protected override async Task<IReadOnlyList<ShownNotification>> NotificationsAsync()
    {
        var shown = await EvaluateAsync("navigator.serviceWorker.ready.then((registration) => registration.getNotifications()).then((shown) => shown.map(({ title, body }) => ({ title, body })))");
        return [.. shown!.AsArray().Select(each => new ShownNotification((string)each!["title"]!, (string)each["body"]!))];
    }

    /// <inheritdoc />
    public override async Task ClickNotificationAsync()
    {
        const string Alert = "Services.wm.getMostRecentWindow('alert:alert')";
        var chrome = await ChromeAsync();
        // gIsActive is set once the window listens to clicks.
        await WaitUntilAsync(chrome, $"{Alert}?.gIsActive");
        await RunAsync(chrome, $"void {Alert}.document.getElementById('alertBox').click()");
    }

    /// <inheritdoc />
    /// <remarks>It shows no buttons on the notifications of a headless window, so the application's own worker dispatches the event.</remarks>
    public override Task ClickActionAsync(string action, string label) =>
        EvaluateAsync($"void navigator.serviceWorker.controller.postMessage({JsonSerializer.Serialize(action)})");

    /// <inheritdoc />
    public override async Task WaitForTabsAsync(params Uri[] urls)
    {
        var expected = JsonSerializer.Serialize(urls.Select(url => url.AbsoluteUri).Order(StringComparer.Ordinal));
        await WaitUntilAsync(await ChromeAsync(), $$"""
            JSON.stringify([...Services.wm.getEnumerator("navigator:browser")]
              .flatMap((window) => window.gBrowser.browsers.map((browser) => browser.currentURI.spec)).sort())
              === JSON.stringify({{expected}})
            """);
    }

    /// <inheritdoc />
    public override async Task SetOfflineAsync(bool isOffline) => await RunAsync(await ChromeAsync(), $"Services.io.offline = {(isOffline ? "true" : "false")}");

    /// <inheritdoc />
    protected override async Task SetSchemeAsync(bool dark) =>
        await RunAsync(await ChromeAsync(), $"Services.prefs.setIntPref('layout.css.prefers-color-scheme.content-override', {(dark ? 0 : 1)})");

    // Asked first, since its children end with it; killed when it does not listen.
    protected override async Task EndAsync()
    {
        if (_process is null)
            return;
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            if (IsDriven)
            {
                await Driver.SendAsync("browser.close", new { }, deadline.Token);
                await _process.WaitForExitAsync(deadline.Token);
            }
        }
        catch (Exception exception) when (exception is IOException or System.Net.WebSockets.WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
        }
        await KillAsync(_process);
    }

    // Where the browser's own scripts run, and not a page's.
    private async Task<string> ChromeAsync()
    {
        var tree = await Driver.SendAsync("browsingContext.getTree", new Dictionary<string, object> { ["moz:scope"] = "chrome" }, Ct);
        return (string)tree["contexts"]![0]!["context"]!;
    }
}
