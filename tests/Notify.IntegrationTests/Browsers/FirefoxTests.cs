using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Notify.IntegrationTests.Browsers;

public sealed class FirefoxTests : IAsyncLifetime
{
    private const string Module = "(await import('/notify.js'))";
    private const string Shown = "navigator.serviceWorker.ready.then((registration) => registration.getNotifications())";

    private BrowserHost _host = null!;
    private Firefox _firefox = null!;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await BrowserHost.StartAsync(Ct);
        _firefox = await Firefox.StartAsync(_host.PushServiceWebSocketUrl, Ct);
    }

    public async ValueTask DisposeAsync()
    {
        if (_firefox is not null)
        {
            if (TestContext.Current.TestState?.Result == TestResult.Failed)
                TestContext.Current.AddAttachment("page", await _firefox.ScreenshotAsync(), "image/png");
            await _firefox.DisposeAsync();
        }
        await _host.DisposeAsync();
    }

    [Fact]
    public async Task The_page_loads_without_errors_on_the_console()
    {
        await OpenPageAsync();

        Assert.Equal("Send yourself a push message.", await TextAsync("h1"));
        Assert.Equal("PNG"u8.ToArray(), (await _firefox.ScreenshotAsync())[1..4]);
        Assert.Empty(_firefox.ConsoleErrors);
    }

    [Fact]
    public async Task The_buttons_of_the_page_subscribe_and_unsubscribe_this_browser()
    {
        await SubscribeAsync();

        var subscription = Assert.Single(_host.Subscriptions.Values);
        Assert.Equal("ada", subscription.UserId);
        await _firefox.WaitUntilAsync("document.querySelector('#subscriptions li strong')?.textContent === 'Firefox on Linux, this browser'");
        AssertState(await StateAsync(), subscribed: true);
        var page = (string)(await _firefox.EvaluateAsync("document.documentElement.outerHTML"))!;
        Assert.DoesNotContain(subscription.Endpoint, page, StringComparison.Ordinal);
        Assert.DoesNotContain(subscription.P256dh, page, StringComparison.Ordinal);

        await _firefox.ClickAsync("#unsubscribe");
        await _firefox.WaitUntilAsync("document.querySelector('#standing').textContent === 'Allowed, not subscribed.'");
        Assert.Empty(_host.Subscriptions);
        AssertState(await StateAsync(), subscribed: false);
    }

    [Fact]
    public async Task Another_user_of_the_page_takes_the_subscription_over()
    {
        await SubscribeAsync();
        await _firefox.EvaluateAsync("(() => { const user = document.querySelector('#user'); user.value = 'bob'; user.dispatchEvent(new Event('change')); })()");
        await _firefox.WaitUntilAsync("document.querySelector('#owner').textContent === 'bob' && document.querySelector('#subscriptions li')");
        Assert.Equal("bob", Assert.Single(_host.Subscriptions.Values).UserId);
    }

    [Fact]
    public async Task A_message_posted_on_the_page_ends_with_the_notification_listed()
    {
        await SubscribeAsync();
        await _firefox.ClickAsync("#message-form button[type=submit]");

        await _firefox.WaitUntilAsync("document.querySelector('#deliveries .state')?.textContent === 'accepted'");
        await _firefox.WaitUntilAsync("document.querySelector('#arrived li')");
        Assert.Equal("Hello, ada", await TextAsync("#arrived li strong"));
        Assert.Matches("^[0-9]+ ms$", await TextAsync("#arrived li .figure b"));
        Assert.Equal("202 Accepted", await TextAsync("#sent"));
        Assert.Empty(_firefox.ConsoleErrors);
    }

    [Fact]
    public async Task Subscribing_again_changes_nothing()
    {
        await SubscribeAsync();
        var (id, before) = (Assert.Single(_host.Subscriptions.Values).Id, _host.Subscriptions.Keys.Single());

        var again = await _firefox.EvaluateAsync($"Promise.all([1, 2].map(async () => {Module}.subscribe()))");

        Assert.All(again!.AsArray(), each => Assert.Equal((id, false), ((string)each!["id"]!, (bool)each["isNew"]!)));
        Assert.Equal(before, Assert.Single(_host.Subscriptions.Keys));
    }

    [Fact]
    public async Task A_subscription_made_with_another_application_server_key_is_replaced()
    {
        await SubscribeAsync();
        var old = Assert.Single(_host.Subscriptions.Keys);
        _host.RotateApplicationServerKey();

        var registered = await _firefox.EvaluateAsync($"{Module}.subscribe()");

        Assert.True((bool)registered!["isNew"]!);
        Assert.Equal(old, Assert.Single(_host.Subscriptions.Values).Replaces);
        await _host.PushAsync("by the new key", Ct);
        Assert.Equal("by the new key", (string?)(await TakeNotificationAsync())["body"]);
    }

    [Fact]
    public async Task A_refusal_reaches_the_caller_with_its_code_and_is_made_good_by_the_next_call()
    {
        await OpenPageAsync();
        _host.RefuseSubscriptionsWith = "too_many_subscriptions";
        await _firefox.ClickAsync("#subscribe");
        await _firefox.WaitUntilAsync("document.querySelector('#problem-text').textContent === 'Refused by the test.'");

        const string Error = "({ name: error.name, code: error.code, status: error.status })";
        var error = await _firefox.EvaluateAsync($"{Module}.subscribe().catch((error) => {Error})");
        Assert.Equal(("NotifyError", "too_many_subscriptions", 422), ((string)error!["name"]!, (string)error["code"]!, (int)error["status"]!));
        var state = await StateAsync();
        Assert.Equal((true, false), ((bool)state["subscribed"]!, (bool)state["registered"]!));

        _host.RefuseSubscriptionsWith = null;
        await _firefox.EvaluateAsync($"{Module}.subscribe()");
        AssertState(await StateAsync(), subscribed: true);
    }

    [Fact]
    public async Task A_browser_is_unsubscribed_also_when_the_service_cannot_be_told()
    {
        await SubscribeAsync();
        var code = await _firefox.EvaluateAsync($"{Module}.unsubscribe({{ api: 'http://127.0.0.1:9/' }}).catch((error) => error.code)");
        Assert.Equal("network_error", (string?)code);
        AssertState(await StateAsync(), subscribed: false);
    }

    [Fact]
    public async Task The_worker_shows_something_whatever_is_pushed()
    {
        await SubscribeAsync();
        (string? Payload, string Title, string Body)[] pushes =
        [
            (null, "New message", ""),
            ("", "New message", ""),
            ("Lunch?", "New message", "Lunch?"),
            ("[1,2]", "New message", "[1,2]"),
            ("null", "New message", "null"),
            ("""{"notification":{"body":"no title"}}""", "New message", "no title"),
            ("""{"notification":{"title":7,"body":{},"actions":[null],"data":[],"silent":"x"}}""", "New message", ""),
            ("""{"notification":{"title":"renotify without a tag","renotify":true,"icon":"http://["}}""", "renotify without a tag", ""),
            ("""{"web_push":8030,"notification":{"title":"Ada","body":"Hi","tag":"t","renotify":true,"data":{"messageId":"m"}}}""", "Ada", "Hi"),
        ];
        foreach (var (payload, title, body) in pushes)
        {
            await _host.PushAsync(payload, Ct);
            var shown = await TakeNotificationAsync();
            Assert.Equal((payload, title, body), (payload, (string)shown["title"]!, (string)shown["body"]!));
        }
        Assert.Equal([100], _host.AcknowledgementsByCode.Keys);
    }

    [Fact]
    public async Task A_push_that_comes_twice_is_shown_once()
    {
        await SubscribeAsync();
        foreach (var body in new[] { "first", "second" })
        {
            var payload = JsonSerializer.Serialize(new { notification = new { title = "Once", body, data = new { messageId = "m" } } });
            await _host.PushAsync(payload, Ct);
            await _firefox.WaitUntilAsync($"{Shown}.then((shown) => shown.at(-1)?.body === '{body}')");
        }
        Assert.Equal("m", (string?)(await TakeNotificationAsync())["tag"]);
    }

    [Fact]
    public async Task A_click_leads_an_open_window_to_the_notifications_url()
    {
        await SubscribeAsync();
        await PushNavigateAsync("/?chat=1");
        await _firefox.ClickNotificationAsync();
        await _firefox.WaitForTabsAsync(new Uri(_host.Url, "/?chat=1"));
    }

    [Fact]
    public async Task A_click_only_focuses_the_window_that_is_there_already()
    {
        await SubscribeAsync();
        await _firefox.EvaluateAsync("void (window.untouched = true)");
        await PushNavigateAsync("/");
        await _firefox.WaitUntilAsync($"{Shown}.then((shown) => shown.length === 1)");
        await _firefox.ClickNotificationAsync();
        await _firefox.WaitUntilAsync($"{Shown}.then((shown) => shown.length === 0)");

        // What comes after the click in the worker has come here: so has all that the click did.
        await _host.PushAsync("after the click", Ct);
        await _firefox.WaitUntilAsync("document.querySelector('#arrived').textContent.includes('after the click')");
        await _firefox.WaitForTabsAsync(_host.Url);
        Assert.True((bool)(await _firefox.EvaluateAsync("window.untouched === true"))!);
    }

    [Theory]
    [InlineData("/?chat=2", "/?chat=2")]
    [InlineData("javascript:alert(1)", "/")]
    [InlineData("http://[", "/")]
    public async Task A_click_opens_a_window_where_none_is_open(string navigate, string opened)
    {
        await SubscribeAsync();
        await _firefox.NavigateAsync(new Uri("about:blank"));
        await PushNavigateAsync(navigate);
        await _firefox.ClickNotificationAsync();
        await _firefox.WaitForTabsAsync(new Uri("about:blank"), new Uri(_host.Url, opened));
    }

    [Fact]
    public async Task A_subscription_that_the_push_service_lost_is_renewed_with_no_help()
    {
        await SubscribeAsync();
        var old = Assert.Single(_host.Subscriptions.Values);
        await _host.RestartPushServiceAsync(Ct);

        await _firefox.WaitUntilAsync($$"""
            fetch("/api/subscriptions", { headers: { "X-Notify-User": "ada" } })
              .then(async (response) => (await response.json())[0]?.id !== "{{old.Id}}")
            """);
        var renewed = Assert.Single(_host.Subscriptions.Values);
        Assert.Equal((old.Endpoint, "ada"), (renewed.Replaces, renewed.UserId));
        await _firefox.WaitUntilAsync($"{Module}.state().then((state) => state.registered)");
        await _host.PushAsync("still here", Ct);
        Assert.Equal("still here", (string?)(await TakeNotificationAsync())["body"]);
    }

    [Fact]
    public async Task An_application_on_another_origin_imports_all_of_it()
    {
        await using var application = await ApplicationHost.StartAsync(_host.Url, Ct);
        await _firefox.NavigateAsync(application.Url);
        await _firefox.WaitUntilAsync("window.arrived");
        await _firefox.EvaluateAsync("notify.subscribe()");
        Assert.Equal("grace", Assert.Single(_host.Subscriptions.Values).UserId);

        const string Payload = """{"notification":{"title":"Reply?","actions":[{"action":"reply","title":"Reply","navigate":"/reply?to=1"}]}}""";
        await _host.PushAsync(Payload, Ct);
        await _firefox.WaitUntilAsync("arrived.length === 1 && arrived[0].title === 'Reply?'");
        await _firefox.WaitUntilAsync($"{Shown}.then((shown) => shown.length === 1)");

        await _firefox.EvaluateAsync("void navigator.serviceWorker.controller.postMessage('reply')");
        await _firefox.WaitForTabsAsync(new Uri(application.Url, "/reply?to=1"));
        await _firefox.WaitUntilAsync("window.arrived");

        await _firefox.EvaluateAsync("void (notify.onMessage(() => window.heard = true), stop())");
        await _host.PushAsync("unheard by the first", Ct);
        await _firefox.WaitUntilAsync("window.heard");
        Assert.Equal(0, (int)(await _firefox.EvaluateAsync("arrived.length"))!);
        Assert.Empty(_firefox.ConsoleErrors);
    }

    private async Task OpenPageAsync()
    {
        await _firefox.NavigateAsync(_host.Url);
        await _firefox.WaitUntilAsync("document.documentElement.dataset.ready");
    }

    private async Task SubscribeAsync()
    {
        await OpenPageAsync();
        await _firefox.ClickAsync("#subscribe");
        await _firefox.WaitUntilAsync("document.querySelector('#standing').textContent === 'This browser is subscribed.'");
    }

    private async Task PushNavigateAsync(string navigate)
    {
        var payload = JsonSerializer.Serialize(new { notification = new { title = "Click", navigate } });
        await _host.PushAsync(payload, Ct);
    }

    private async Task<string> TextAsync(string selector) =>
        (string)(await _firefox.EvaluateAsync($"document.querySelector({JsonSerializer.Serialize(selector)}).textContent"))!;

    private async Task<JsonNode> StateAsync() => (await _firefox.EvaluateAsync($"{Module}.state()"))!;

    private static void AssertState(JsonNode state, bool subscribed) =>
        Assert.Equal(
            (true, "granted", subscribed, subscribed),
            ((bool)state["supported"]!, (string)state["permission"]!, (bool)state["subscribed"]!, (bool)state["registered"]!));

    /// <summary>The one notification that is shown, once it is, and closed as it is read; the browser answers a push a little earlier.</summary>
    private async Task<JsonNode> TakeNotificationAsync()
    {
        await _firefox.WaitUntilAsync($"{Shown}.then((shown) => shown.length > 0)");
        var shown = await _firefox.EvaluateAsync(
            $"{Shown}.then((shown) => shown.map((each) => {{ each.close(); return {{ title: each.title, body: each.body, tag: each.tag }}; }}))");
        return Assert.Single(shown!.AsArray())!;
    }
}
