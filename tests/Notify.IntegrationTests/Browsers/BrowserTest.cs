using System.Text.Json;
using System.Text.Json.Nodes;
using Notify.Contracts;
using Notify.Subscriptions;

namespace Notify.IntegrationTests.Browsers;

/// <summary>A browser that is tested with.</summary>
public enum BrowserKind
{
    /// <summary>Firefox ESR.</summary>
    Firefox,

    /// <summary>Debian's Chromium.</summary>
    Chromium,
}

/// <summary>A test with a browser of its own, before a service and a push service of its own. They run one at a time.</summary>
[Collection("Browsers")]
public abstract class BrowserTest(BrowserKind kind) : IAsyncLifetime
{
    protected const string Module = "(await import('/notify.js'))";
    protected const string Shown = "navigator.serviceWorker.ready.then((registration) => registration.getNotifications())";

    private BrowserHost? _host;
    private WebBrowser? _browser;

    protected static CancellationToken Ct => TestContext.Current.CancellationToken;

    protected BrowserHost Host => _host ?? throw new InvalidOperationException("The service has not been started.");

    protected WebBrowser Browser => _browser ?? throw new InvalidOperationException("The browser has not been started.");

    public async ValueTask InitializeAsync()
    {
        _host = await BrowserHost.StartAsync(kind, Ct);
        try
        {
            _browser = _host.Google is { } google ? await Chromium.StartAsync(google, Ct) : await Firefox.StartAsync(_host.PushServiceWebSocketUrl, Ct);
        }
        catch
        {
            // A test that was skipped here is not disposed.
            await DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            if (TestContext.Current.TestState?.Result == TestResult.Failed)
            {
                TestContext.Current.AddAttachment("page", await _browser.ScreenshotAsync(), "image/png");
                TestContext.Current.AddAttachment("log", string.Join('\n', Host.Log));
            }

            await _browser.DisposeAsync();
        }

        if (_host is not null)
            await _host.DisposeAsync();

        GC.SuppressFinalize(this);
    }

    protected async Task OpenPageAsync()
    {
        await Browser.NavigateAsync(Host.Url);
        await Browser.WaitUntilAsync("document.documentElement.dataset.ready");
    }

    /// <summary>Opens the page and subscribes the browser by its button, for ada.</summary>
    protected async Task SubscribeAsync()
    {
        await OpenPageAsync();
        await Browser.ClickAsync("#subscribe");
        await WaitForTextAsync("#standing", "This browser is subscribed.");

        // What the page does behind that, in the background, has come to its end when this has.
        await Browser.EvaluateAsync($"{Module}.reconcile().then(() => null)");
    }

    /// <summary>The one subscription in the store.</summary>
    protected async Task<Subscription> SubscriptionAsync() => Assert.Single(await Host.SubscriptionsAsync(Ct));

    /// <summary>Posts an event for ada.</summary>
    protected Task<Guid> PostAsync(string title, string? url = null) =>
        Host.PostAsync(new MessagePosted { RecipientIds = ["ada"], Title = title, Url = url });

    protected async Task<string> TextAsync(string selector) =>
        (string)(await Browser.EvaluateAsync($"document.querySelector({JsonSerializer.Serialize(selector)}).textContent"))!;

    protected Task WaitForTextAsync(string selector, string text) =>
        Browser.WaitUntilAsync($"document.querySelector({JsonSerializer.Serialize(selector)})?.textContent === {JsonSerializer.Serialize(text)}");

    protected async Task<JsonNode> StateAsync() => (await Browser.EvaluateAsync($"{Module}.state()"))!;

    protected static void AssertState(JsonNode state, bool subscribed) =>
        Assert.Equal(
            (true, "granted", subscribed, subscribed),
            ((bool)state["supported"]!, (string)state["permission"]!, (bool)state["subscribed"]!, (bool)state["registered"]!));

    /// <summary>Nothing was wrong with any push: Firefox has said so for each; before Chromium, which does not say, the salts are looked at.</summary>
    protected void AssertWellMade(int? count = null)
    {
        if (Host.Google is { } google)
        {
            Assert.Equal((count ?? google.Received, 0), (google.Received, google.RepeatedSalts));
        }
        else
        {
            Assert.Equal([100], Host.AcknowledgementsByCode.Keys);
            Assert.True(count is null || Host.AcknowledgementsByCode[100] == count);
        }
    }

    /// <summary>The one notification that is shown, once it is, and closed as it is read; the browser answers a push a little earlier.</summary>
    protected async Task<JsonNode> TakeNotificationAsync()
    {
        await Browser.WaitForNotificationsAsync(shown => shown.Count > 0);
        var shown = await Browser.EvaluateAsync(
            $"{Shown}.then((shown) => shown.map((each) => {{ each.close(); return {{ title: each.title, body: each.body, tag: each.tag }}; }}))");
        var taken = Assert.Single(shown!.AsArray())!;

        // A browser closes it a little later: until then it would be taken for the next one.
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 0);
        return taken;
    }

    /// <summary>Sees that what is open fits a phone too. NOTIFY_TEST_PICTURES names the folder to put pictures in; docs/images has them.</summary>
    protected async Task TakePicturesAsync(string page, int phoneWidth)
    {
        foreach (var (name, width, dark) in new[] { ("", 1280, false), ("-dark", 1280, true), ("-phone", phoneWidth, false), ("-phone-dark", phoneWidth, true) })
        {
            var picture = await Browser.ScreenshotAsync(width, dark);
            Assert.True(
                (bool)(await Browser.EvaluateAsync("document.documentElement.scrollWidth <= innerWidth"))!, $"The page is wider than {width} pixels.");
            if (Environment.GetEnvironmentVariable("NOTIFY_TEST_PICTURES") is { Length: > 0 } folder)
                await File.WriteAllBytesAsync(Path.Combine(folder, $"{page}{name}-{Browser.Name.Split(' ')[0].ToLowerInvariant()}.png"), picture, Ct);
        }
    }
}
