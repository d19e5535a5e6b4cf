using System.Text.Json;

namespace Notify.IntegrationTests.Browsers;

public sealed class ServiceWorkerTests : BrowserTest
{
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

        Assert.Equal([100], Host.AcknowledgementsByCode.Keys);
    }

    [Fact]
    public async Task A_push_that_comes_twice_is_shown_once()
    {
        await SubscribeAsync();
        foreach (var body in new[] { "first", "second" })
        {
            var payload = JsonSerializer.Serialize(new { notification = new { title = "Once", body, data = new { messageId = "m" } } });
            await Host.PushAsync(payload, Ct);
            await Firefox.WaitUntilAsync($"{Shown}.then((shown) => shown.at(-1)?.body === '{body}')");
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
            await Firefox.WaitUntilAsync($"document.querySelector('#arrived').textContent.includes('{title}')");
            await Firefox.WaitUntilAsync($"{Shown}.then((shown) => shown.length === 1 && shown[0].title === '{expected}')");
        }

        Assert.Equal(new Dictionary<int, long> { [100] = 5 }, Host.AcknowledgementsByCode);
    }

    [Fact]
    public async Task That_a_push_was_displayed_and_clicked_is_reported()
    {
        await SubscribeAsync();
        var message = await PostAsync("Click", "/?chat=1");
        var displayed = await Host.DeliveryAsync(message, "displayed");
        Assert.Equal((JsonValueKind.String, JsonValueKind.Null), (displayed.GetProperty("displayedAt").ValueKind, displayed.GetProperty("clickedAt").ValueKind));

        await Firefox.ClickNotificationAsync();

        Assert.Equal(JsonValueKind.Null, (await Host.DeliveryAsync(message, "clicked")).GetProperty("clickedAction").ValueKind);
    }

    [Fact]
    public async Task A_click_leads_an_open_window_to_the_notifications_url()
    {
        await SubscribeAsync();
        await PostAsync("Click", "/?chat=1");
        await Firefox.ClickNotificationAsync();
        await Firefox.WaitForTabsAsync(new Uri(Host.Url, "/?chat=1"));
    }

    [Fact]
    public async Task A_click_only_focuses_the_window_that_is_there_already()
    {
        await SubscribeAsync();
        await Firefox.EvaluateAsync("void (window.untouched = true)");
        await PostAsync("Click", "/");
        await Firefox.WaitUntilAsync($"{Shown}.then((shown) => shown.length === 1)");
        await Firefox.ClickNotificationAsync();
        await Firefox.WaitUntilAsync($"{Shown}.then((shown) => shown.length === 0)");

        // What comes after the click in the worker has come here: so has all that the click did.
        await PostAsync("after the click");
        await Firefox.WaitUntilAsync("document.querySelector('#arrived').textContent.includes('after the click')");
        await Firefox.WaitForTabsAsync(Host.Url);
        Assert.True((bool)(await Firefox.EvaluateAsync("window.untouched === true"))!);
    }

    [Theory]
    [InlineData("/?chat=2", "/?chat=2")]
    [InlineData("javascript:alert(1)", "/")]
    [InlineData("http://[", "/")]
    public async Task A_click_opens_a_window_where_none_is_open(string navigate, string opened)
    {
        await SubscribeAsync();
        await Firefox.NavigateAsync(new Uri("about:blank"));
        await Host.PushAsync(JsonSerializer.Serialize(new { notification = new { title = "Click", navigate } }), Ct);
        await Firefox.ClickNotificationAsync();
        await Firefox.WaitForTabsAsync(new Uri("about:blank"), new Uri(Host.Url, opened));
    }

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

        await Firefox.WaitUntilAsync($$"""
            fetch("/api/subscriptions", { headers: { "X-Notify-User": "ada" } })
              .then(async (response) => (await response.json()).every(({ id }) => id !== "{{old.Id}}"))
            """);
        var renewed = await SubscriptionAsync();
        Assert.Equal("ada", renewed.UserId);
        Assert.NotEqual(old.Endpoint, renewed.Endpoint);
        await Firefox.WaitUntilAsync($"{Module}.state().then((state) => state.registered)");
        await PostAsync("still here");
        Assert.Equal("still here", (string?)(await TakeNotificationAsync())["title"]);
    }
}
