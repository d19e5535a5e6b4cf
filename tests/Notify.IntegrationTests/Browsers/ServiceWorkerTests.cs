using System.Text.Json;
using Notify.Contracts;
using Notify.Tests;

namespace Notify.IntegrationTests.Browsers;

public abstract class ServiceWorkerTests(BrowserKind kind) : BrowserTest(kind)
{
    // The worker asks a window where it is before it does what a click is for.
    private const string IsAsked = "navigator.serviceWorker.addEventListener('message', ({ data }) => { window.isAsked ||= data.type === 'notify:where'; })";

    [Fact]
    public async Task Something_is_shown_whatever_is_pushed()
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
            await Host.PushAsync(payload, Ct);
            var shown = await TakeNotificationAsync();
            Assert.Equal((payload, title, body), (payload, (string)shown["title"]!, (string)shown["body"]!));
        }

        AssertWellMade();
    }

    [Fact]
    public async Task A_push_that_comes_twice_is_shown_once()
    {
        await SubscribeAsync();
        foreach (var body in new[] { "first", "second" })
        {
            var payload = JsonSerializer.Serialize(new { notification = new { title = "Once", body, data = new { messageId = "m" } } });
            await Host.PushAsync(payload, Ct);
            await Browser.WaitForNotificationsAsync(shown => shown is [{ Title: "Once" } once] && once.Body.EndsWith(body, StringComparison.Ordinal));
        }

        Assert.Equal("m", (string?)(await TakeNotificationAsync())["tag"]);
    }

    [Fact]
    public async Task An_older_push_does_not_replace_a_newer_one_of_its_tag_and_a_newer_one_does()
    {
        await SubscribeAsync();
        foreach (var (title, publishedAt) in new[] { ("second", 20_000), ("first", 10_000), ("third", 30_000), ("a clock that is behind", 29_500), ("no time", (int?)null) })
        {
            await Host.PushAsync(JsonSerializer.Serialize(new { notification = new { title, tag = "t", data = new { publishedAt } } }), Ct);
            var expected = title == "first" ? "second" : title;
            await Browser.WaitUntilAsync($"document.querySelector('#arrived').textContent.includes('{title}')");
            await Browser.WaitForNotificationsAsync(shown => shown is [var one] && one.Title == expected);
        }

        AssertWellMade(5);
    }

    [Fact]
    public async Task That_a_push_was_displayed_and_clicked_is_reported()
    {
        await SubscribeAsync();
        var message = await PostAsync("Click", "/?chat=1");
        var displayed = await Host.DeliveryAsync(message, "displayed");
        Assert.Equal((JsonValueKind.String, JsonValueKind.Null), (displayed.GetProperty("displayedAt").ValueKind, displayed.GetProperty("clickedAt").ValueKind));

        await Browser.ClickNotificationAsync();

        Assert.Equal(JsonValueKind.Null, (await Host.DeliveryAsync(message, "clicked")).GetProperty("clickedAction").ValueKind);
    }

    [Fact]
    public async Task A_click_leads_an_open_window_to_the_notifications_url()
    {
        await SubscribeAsync();
        await PostAsync("Click", "/?chat=1");
        await Browser.ClickNotificationAsync();
        await Browser.WaitForTabsAsync(new Uri(Host.Url, "/?chat=1"));
    }

    [Fact]
    public async Task A_click_only_focuses_the_window_that_is_there_already()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync($"void (window.untouched = true, {IsAsked})");
        await PostAsync("Click", "/");
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 1);
        await Browser.ClickNotificationAsync();
        await Browser.WaitUntilAsync("window.isAsked");

        // The worker had its answer before this came to it: so has been done all that the click does.
        await PostAsync("after the click");
        await Browser.WaitUntilAsync("document.querySelector('#arrived').textContent.includes('after the click')");
        await Browser.WaitForTabsAsync(Host.Url);
        Assert.True((bool)(await Browser.EvaluateAsync("window.untouched === true"))!);
    }

    [Theory]
    [InlineData("/?chat=3")]
    [InlineData("/#/chats/3")]
    public async Task A_click_goes_by_where_an_application_has_routed_itself(string routed)
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync($"void (window.untouched = true, history.pushState(null, '', '{routed}'), {IsAsked})");
        await PostAsync("there already", routed);
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 1);
        await Browser.ClickNotificationAsync();
        await Browser.WaitUntilAsync("window.isAsked");
        await PostAsync("after the click", "/");
        await Browser.WaitUntilAsync("document.querySelector('#arrived').textContent.includes('after the click')");
        Assert.True((bool)(await Browser.EvaluateAsync($"window.untouched === true && location.href.endsWith('{routed}')"))!);

        // It was loaded there, and is there no more.
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 1);
        await Browser.ClickNotificationAsync();
        await Browser.WaitForTabsAsync(Host.Url);
        await Browser.WaitUntilAsync("window.untouched === undefined");
    }

    [Fact]
    public async Task A_click_is_left_to_an_application_that_routes_by_itself()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync($"void (window.routed = [], window.stop = {Module}.onNavigate((url) => routed.push(url.href)))");
        await PostAsync("Click", "/?chat=4");
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 1);
        await Browser.ClickNotificationAsync();
        await Browser.WaitUntilAsync("window.routed?.length === 1");
        Assert.Equal($"{new Uri(Host.Url, "/?chat=4")}", (string?)await Browser.EvaluateAsync("routed[0]"));
        await Browser.WaitForTabsAsync(Host.Url);
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 0);

        // A router that fails is none.
        await Browser.EvaluateAsync($"void (stop(), {Module}.onNavigate(() => {{ throw new Error('no such route'); }}))");
        await PostAsync("Click", "/?chat=5");
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 1);
        await Browser.ClickNotificationAsync();
        await Browser.WaitForTabsAsync(new Uri(Host.Url, "/?chat=5"));
        Assert.Equal(1, (int)(await Browser.EvaluateAsync("window.routed?.length ?? 1"))!);
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 0);

        // Nor is one that fails later.
        await Browser.EvaluateAsync($"void {Module}.onNavigate(async () => {{ throw new Error('no such route'); }})");
        await PostAsync("Click", "/?chat=6");
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 1);
        await Browser.ClickNotificationAsync();
        await Browser.WaitForTabsAsync(new Uri(Host.Url, "/?chat=6"));
    }

    [Fact]
    public async Task A_click_leads_the_window_and_not_a_frame_in_it()
    {
        await using var application = await ApplicationHost.StartAsync(Host.Url, Ct);
        await Browser.NavigateAsync(application.Url);
        await Browser.WaitUntilAsync("window.arrived");
        await Browser.EvaluateAsync("notify.subscribe()");
        await Browser.EvaluateAsync("""
            new Promise((loaded) => document.body.append(Object.assign(document.createElement("iframe"), { src: "/framed", onload: ({ target }) => loaded((target.contentWindow.focus(), true)) })))
            """);
        await Host.PostAsync(new MessagePosted { RecipientIds = ["grace"], Title = "Click", Url = "/rooms/7" });
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 1);

        await Browser.ClickNotificationAsync();

        await Browser.WaitForTabsAsync(new Uri(application.Url, "/rooms/7"));
    }

    [Fact]
    public async Task What_a_page_in_sight_shows_itself_is_not_shown_and_replaces_what_is()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync($"""
            void (async () => {"{"}
              const notify = {Module};
              const another = await import("/notify.js?a-part's");
              notify.onMessage((notification, event) => window.late = event);
              notify.onMessage(() => {"{"} throw new Error("a handler's"); {"}"});
              another.onMessage((notification, event) => notification.title === "read" && event.preventDefault());
              notify.onMessage((notification) => (window.told ??= []).push(notification.title));
              window.isReady = true;
            {"}"})()
            """);
        await Browser.WaitUntilAsync("window.isReady");
        await Host.PostAsync(new MessagePosted { RecipientIds = ["ada"], Title = "unread", Tag = "chat" });
        await Browser.WaitForNotificationsAsync(shown => shown is [{ Title: "unread" }]);

        var read = await Host.PostAsync(new MessagePosted { RecipientIds = ["ada"], Title = "read", Tag = "chat" });
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 0);

        // Too late for its own, and not meant for the next.
        await Browser.EvaluateAsync("void late.preventDefault()");
        var another = await Host.PostAsync(new MessagePosted { RecipientIds = ["ada"], Title = "another" });
        await Browser.WaitForNotificationsAsync(shown => shown is [{ Title: "another" }]);
        await Host.DeliveryAsync(another, "displayed");
        Assert.Equal(JsonValueKind.Null, (await Host.DeliveryAsync(read, "accepted")).GetProperty("displayedAt").ValueKind);
        Assert.Equal(["unread", "read", "another"], (await Browser.EvaluateAsync("told"))!.AsArray().Select(title => (string)title!));
        await Eventually.TrueAsync(() => Browser.ConsoleErrors.Count == 3);
        Assert.All(Browser.ConsoleErrors, error => Assert.Contains("a handler's", error, StringComparison.Ordinal));

        // Nobody looks at the page any more.
        await Browser.OpenTabAsync();
        await Browser.WaitUntilAsync("document.visibilityState === 'hidden'");
        await Host.DeliveryAsync(await PostAsync("read"), "displayed");
        Assert.Equal(4, (int)(await Browser.EvaluateAsync("told.length"))!);
    }

    [Fact]
    public async Task A_browser_that_lets_no_site_stay_silent_shows_it_all_the_same()
    {
        await using var application = await ApplicationHost.StartAsync(Host.Url, Ct);
        await Browser.NavigateAsync(new Uri(application.Url, ApplicationHost.AsInSafari));
        await Browser.WaitUntilAsync("window.arrived");
        await Browser.EvaluateAsync($"notify.subscribe({{ serviceWorker: '{ApplicationHost.AsInSafari}service-worker.js' }})");
        await Browser.EvaluateAsync("void notify.onMessage((notification, event) => event.preventDefault())");

        var message = await Host.PostAsync(new MessagePosted { RecipientIds = ["grace"], Title = "read" });

        await Browser.WaitForNotificationsAsync(shown => shown is [{ Title: "read" }]);
        await Host.DeliveryAsync(message, "displayed");
        Assert.True((bool)(await Browser.EvaluateAsync($"{Shown}.then(([shown]) => shown.silent)"))!);
    }

    [Fact]
    public async Task A_page_in_sight_that_does_not_answer_costs_no_notification()
    {
        await using var application = await ApplicationHost.StartAsync(Host.Url, Ct);
        await Browser.NavigateAsync(application.Url);
        await Browser.WaitUntilAsync("window.arrived");
        await Browser.EvaluateAsync("notify.subscribe()");
        await Browser.NavigateAsync(application.Plain);

        await Host.PostAsync(new MessagePosted { RecipientIds = ["grace"], Title = "nobody answers" });

        await Browser.WaitForNotificationsAsync(shown => shown is [{ Title: "nobody answers" }]);
    }

    [Fact]
    public async Task Of_many_at_once_that_a_page_shows_itself_some_are_shown_for_the_browsers_sake()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync($"void (window.told = 0, {Module}.onMessage((notification, event) => {{ told++; event.preventDefault(); }}))");

        for (var number = 0; number < 30; number++)
        {
            await Host.PostAsync(new MessagePosted { RecipientIds = ["ada"], Title = "at once", Tag = $"{number}" });
        }

        await Browser.WaitUntilAsync("told === 30");
        await Browser.WaitForNotificationsAsync(shown => shown.Count > 0);
        await Browser.LookAtQuotaAsync();
        await PostAsync("the last");
        await Browser.WaitUntilAsync("told === 31");
        AssertWellMade(31);
    }

    [Theory]
    [InlineData("/?chat=2", "/?chat=2")]
    [InlineData("javascript:alert(1)", "/")]
    [InlineData("http://[", "/")]
    public async Task A_click_opens_a_window_where_none_is_open(string navigate, string opened)
    {
        await SubscribeAsync();
        await Browser.NavigateAsync(new Uri("about:blank"));
        await Host.PushAsync(JsonSerializer.Serialize(new { notification = new { title = "Click", navigate } }), Ct);
        await Browser.ClickNotificationAsync();
        await Browser.WaitForTabsAsync(new Uri("about:blank"), new Uri(Host.Url, opened));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3993)]
    public async Task What_is_pushed_arrives_byte_for_byte(int length)
    {
        await SubscribeAsync();
        var text = string.Concat(Enumerable.Range(0, length).Select(position => (char)('a' + (position % 26))));
        await Host.PushAsync(text, Ct);
        Assert.Equal(text, (string?)(await TakeNotificationAsync())["body"]);
        AssertWellMade(1);
    }

    [Theory]
    [InlineData("Grüße an 山田さん, שלום und 👩‍👩‍👧‍👦 \u200f\u0301")]
    [InlineData("\ttabs\nlines \u2028 \"quotes\" \\ </script>")]
    public async Task Text_arrives_character_for_character(string text)
    {
        await SubscribeAsync();
        await Host.PostAsync(new MessagePosted { RecipientIds = ["ada"], Title = "Text", Body = text });
        Assert.Equal(text, (string?)(await TakeNotificationAsync())["body"]);
        AssertWellMade(1);
    }

    [Fact]
    public async Task A_burst_of_fifty_arrives()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync($"void (window.arrived = [], {Module}.onMessage(({{ title }}) => arrived.push(Number(title))))");
        foreach (var number in Enumerable.Range(0, 50))
        {
            await Host.PostAsync(new MessagePosted { RecipientIds = ["ada"], ConversationId = "room", Title = $"{number}", Tag = $"{number}" });
        }

        await Browser.WaitUntilAsync("arrived.length === 50");
        var arrived = (await Browser.EvaluateAsync("arrived"))!.AsArray().Select(number => (int)number!).ToList();

        // Firefox decrypts what has come together, and now and then has a push event for its service worker a few places late.
        Assert.Equal(Enumerable.Range(0, 50), this is FirefoxServiceWorkerTests ? arrived.Order() : arrived);
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 50);
        Assert.Equal(50, (int)(await Browser.EvaluateAsync($"{Shown}.then((shown) => shown.length)"))!);
        AssertWellMade(50);
    }

    [Fact]
    public async Task A_push_is_shown_with_no_page_open()
    {
        await SubscribeAsync();
        await Browser.NavigateAsync(new Uri("about:blank"));

        await Host.DeliveryAsync(await PostAsync("nobody looks"), "displayed");
    }

    [Fact]
    public async Task What_is_pushed_while_the_browser_is_offline_is_shown_when_it_is_back()
    {
        await SubscribeAsync();
        await Browser.SetOfflineAsync(true);
        var first = await PostAsync("first");
        var second = await PostAsync("second");
        await Host.DeliveryAsync(first, "accepted");
        await Host.DeliveryAsync(second, "accepted");

        await Browser.SetOfflineAsync(false);

        await Host.DeliveryAsync(first, "displayed");
        await Host.DeliveryAsync(second, "displayed");
    }
}

public sealed class ChromiumServiceWorkerTests() : ServiceWorkerTests(BrowserKind.Chromium);

public sealed class FirefoxServiceWorkerTests() : ServiceWorkerTests(BrowserKind.Firefox)
{
    /// <summary>Chromium is not told that its push service has lost a subscription.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_subscription_that_the_push_service_lost_is_renewed_with_no_help(bool afterAKeyRotation)
    {
        await SubscribeAsync();
        var old = await SubscriptionAsync();
        if (afterAKeyRotation)
            await Host.RotateVapidKeysAsync();
        await Host.RestartPushServiceAsync(Ct);

        await Browser.WaitUntilAsync($$"""
            fetch("/api/subscriptions", { headers: { "X-Notify-User": "ada" } })
              .then(async (response) => (await response.json()).every(({ id }) => id !== "{{old.Id}}"))
            """);
        var renewed = await SubscriptionAsync();
        Assert.Equal("ada", renewed.UserId);
        Assert.NotEqual(old.Endpoint, renewed.Endpoint);
        await Browser.WaitUntilAsync($"{Module}.state().then((state) => state.registered)");
        await PostAsync("still here");
        Assert.Equal("still here", (string?)(await TakeNotificationAsync())["title"]);
    }

    [Fact]
    public async Task A_subscription_that_is_lost_while_it_is_being_ended_is_not_renewed()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync($$"""
            void (async () => {
              const { unsubscribe } = PushSubscription.prototype;
              PushSubscription.prototype.unsubscribe = async function () {
                await new Promise((resolve) => window.goOn = resolve);
                return unsubscribe.call(this);
              };
              await {{Module}}.unsubscribe();
              window.isEnded = true;
            })()
            """);
        await Browser.WaitUntilAsync("window.goOn");
        await Host.RestartPushServiceAsync(Ct);

        // The worker's turn comes after the page's.
        await Browser.WaitUntilAsync("navigator.locks.query().then(({ pending }) => pending.length > 0)");
        await Browser.EvaluateAsync("void goOn()");
        await Browser.WaitUntilAsync("window.isEnded && navigator.locks.query().then(({ held, pending }) => held.length + pending.length === 0)");

        AssertState(await StateAsync(), subscribed: false);
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
    }

    [Fact]
    public async Task A_subscription_whose_push_service_cannot_be_told_is_ended_without_an_error()
    {
        await SubscribeAsync();
        await Browser.SetOfflineAsync(true);

        Assert.True((bool)(await Browser.EvaluateAsync($"{Module}.unsubscribe()"))!);

        AssertState(await StateAsync(), subscribed: false);
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
    }
}
