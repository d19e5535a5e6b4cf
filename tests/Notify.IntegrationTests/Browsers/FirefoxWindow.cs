using System.Text.Json;

namespace Notify.IntegrationTests.Browsers;

/// <summary>What lies around the page: the browser's own window, its question for permission, its notifications, and how it is looked at.</summary>
public sealed partial class Firefox
{
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

    /// <summary>Takes the page's permission back, as a user does in the settings.</summary>
    public async Task BlockAsync() =>
        await RunAsync(await ChromeAsync(), "Services.perms.addFromPrincipal(gBrowser.contentPrincipal, 'desktop-notification', Services.perms.DENY_ACTION)");

    /// <summary>Clicks the newest notification on the screen, in the browser's own window for it.</summary>
    public async Task ClickNotificationAsync()
    {
        const string Alert = "Services.wm.getMostRecentWindow('alert:alert')";
        var chrome = await ChromeAsync();
        // gIsActive is set once the window listens to clicks.
        await WaitUntilAsync(chrome, $"{Alert}?.gIsActive");
        await RunAsync(chrome, $"void {Alert}.document.getElementById('alertBox').click()");
    }

    /// <summary>Waits until the tabs show exactly these pages.</summary>
    public async Task WaitForTabsAsync(params Uri[] urls)
    {
        var expected = JsonSerializer.Serialize(urls.Select(url => url.AbsoluteUri).Order(StringComparer.Ordinal));
        await WaitUntilAsync(await ChromeAsync(), $$"""
            JSON.stringify([...Services.wm.getEnumerator("navigator:browser")]
              .flatMap((window) => window.gBrowser.browsers.map((browser) => browser.currentURI.spec)).sort())
              === JSON.stringify({{expected}})
            """);
    }

    /// <summary>The visible part of the page as PNG.</summary>
    public Task<byte[]> ScreenshotAsync() => CaptureAsync("viewport");

    /// <summary>The whole page as PNG, laid out for a width in CSS pixels, in the light or the dark scheme.</summary>
    public async Task<byte[]> ScreenshotAsync(int width, bool dark)
    {
        await RunAsync(await ChromeAsync(), $"Services.prefs.setIntPref('layout.css.prefers-color-scheme.content-override', {(dark ? 0 : 1)})");
        await ResizeAsync(width, 800);
        // As high as the page, or a scrollbar would take its part of the width.
        await ResizeAsync(width, (int)(await EvaluateAsync("document.documentElement.scrollHeight"))!);
        await WaitUntilAsync($"innerWidth === {width} && matchMedia('(prefers-color-scheme: dark)').matches === {(dark ? "true" : "false")}");
        // Where the last click was may be another button now; the pointer would lie on it.
        object[] aside = [new { type = "pointer", id = "mouse", actions = new[] { new { type = "pointerMove", x = 0, y = 0 } } }];
        await Driver.SendAsync("input.performActions", new { context = _context, actions = aside }, _ct);
        // Colours fade, and rows slide in.
        await WaitUntilAsync("document.getAnimations().length === 0");
        return await CaptureAsync("document");
    }

    private async Task ResizeAsync(int width, int height) =>
        await Driver.SendAsync("browsingContext.setViewport", new { context = _context, viewport = new { width, height } }, _ct);

    private async Task<byte[]> CaptureAsync(string origin)
    {
        var shot = await Driver.SendAsync("browsingContext.captureScreenshot", new { context = _context, origin }, _ct);
        return Convert.FromBase64String((string)shot["data"]!);
    }

    // Where the browser's own scripts run, and not a page's.
    private async Task<string> ChromeAsync()
    {
        var tree = await Driver.SendAsync("browsingContext.getTree", new Dictionary<string, object> { ["moz:scope"] = "chrome" }, _ct);
        return (string)tree["contexts"]![0]!["context"]!;
    }
}
