using Notify.Contracts;

namespace Notify.IntegrationTests.Browsers;

public abstract class PageTests(BrowserKind kind) : BrowserTest(kind)
{
    [Fact]
    public async Task The_page_loads_without_errors_on_the_console()
    {
        await OpenPageAsync();

        Assert.Equal("Send yourself a push message.", await TextAsync("h1"));
        Assert.Equal("PNG"u8.ToArray(), (await Browser.ScreenshotAsync())[1..4]);
        Assert.Empty(Browser.ConsoleErrors);
    }

    [Fact]
    public async Task Every_link_of_the_page_leads_somewhere()
    {
        await OpenPageAsync();

        var links = await Browser.EvaluateAsync(
            "Promise.all([...document.querySelectorAll('a[href]')].map(async ({ href }) => ({ href, status: (await fetch(href)).status })))");
        Assert.NotEmpty(links!.AsArray());
        Assert.All(links.AsArray(), link => Assert.Equal(200, (int)link!["status"]!));
    }

    [Fact]
    public async Task A_user_subscribes_posts_sees_it_arrive_and_unsubscribes_by_the_pages_own_buttons()
    {
        await OpenPageAsync();
        await Browser.ClickAsync("#subscribe");
        await WaitForTextAsync("#standing", "This browser is subscribed.");
        await WaitForTextAsync("#subscriptions li strong", $"{Browser.Name}, this browser");

        await Browser.TypeAsync("#title", "Lunch at noon?");
        await Browser.TypeAsync("#body", "The place by the river, a table for four.");
        await Browser.ClickAsync("#message-form button[type=submit]");
        await WaitForTextAsync("#sent", "202 Accepted");

        await WaitForTextAsync("#arrived li strong", "Lunch at noon?");
        Assert.Equal("The place by the river, a table for four.", await TextAsync("#arrived li span"));
        Assert.Matches("^[0-9]+ ms[0-9]{1,2}:[0-9]{2}:[0-9]{2}", await TextAsync("#arrived li .figure"));
        await WaitForTextAsync("#deliveries .state", "displayed");
        Assert.Matches("^1 attempt · HTTP 201 · ", await TextAsync("#deliveries small"));
        await Browser.WaitUntilAsync("document.querySelector('#subscriptions small')?.textContent.includes('last push')");
        await TakePicturesAsync("page", phoneWidth: 390);
        Assert.Equal("Lunch at noon?", (string?)(await TakeNotificationAsync())["title"]);

        Assert.Equal(1, (await Host.GetAsync("api/subscriptions", "ada", Ct)).GetArrayLength());
        await Browser.ClickAsync("#unsubscribe");
        await WaitForTextAsync("#standing", "Allowed, not subscribed.");
        Assert.Equal(0, (await Host.GetAsync("api/subscriptions", "ada", Ct)).GetArrayLength());
        AssertState(await StateAsync(), subscribed: false);
        Assert.Empty(Browser.ConsoleErrors);
    }

    [Fact]
    public async Task Where_site_data_are_blocked_the_page_says_so_and_does_what_it_can()
    {
        await Browser.BlockSiteDataAsync();
        await OpenPageAsync();

        Assert.Equal("Site data are blocked: allow cookies and site data in the browser's settings for this site.", await TextAsync("#standing"));
        Assert.True((bool)(await Browser.EvaluateAsync("document.querySelector('#subscribe').hidden"))!);
        await Browser.ClickAsync("#message-form button[type=submit]");
        await WaitForTextAsync("#sent", "202 Accepted");
        Assert.Empty(Browser.ConsoleErrors);
    }

    [Fact]
    public async Task The_page_can_be_added_to_a_home_screen()
    {
        await OpenPageAsync();

        var manifest = await Browser.EvaluateAsync("""
            (async () => {
              const answer = await fetch(document.querySelector("link[rel=manifest]").href);
              const { display, icons } = await answer.json();
              const images = [...icons.map(({ src }) => src), document.querySelector("link[rel=apple-touch-icon]").href];
              const loaded = await Promise.all(images.map(async (src) => { const image = new Image(); image.src = src; await image.decode(); return image.width; }));
              return { type: answer.headers.get("Content-Type"), display, loaded };
            })()
            """);

        Assert.Equal(("application/manifest+json", "standalone"), ((string)manifest!["type"]!, (string)manifest["display"]!));
        Assert.All(manifest["loaded"]!.AsArray(), width => Assert.NotEqual(0, (int)width!));
    }

    [Fact]
    public async Task The_focus_stays_where_the_user_was()
    {
        await OpenPageAsync();
        await Browser.ClickAsync("#subscribe");
        await WaitForFocusAsync("#unsubscribe");
        await Browser.ClickAsync("#unsubscribe");
        await WaitForFocusAsync("#subscribe");
        await Browser.WaitUntilAsync("!document.querySelector('#subscriptions li')");
        await Browser.ClickAsync("#subscribe");
        await Browser.ClickAsync("#subscriptions button");
        await WaitForFocusAsync("#subscriptions-heading");

        await Host.RestartServiceAsync("--Notify:Subscriptions:MaxPerUser=1");
        await Host.SubscribeAnotherAsync("ada", Ct);
        await Browser.ClickAsync("#subscribe");
        await Browser.WaitUntilAsync("!document.querySelector('#problem').hidden");
        await WaitForFocusAsync("#subscribe");

        await Browser.BlockAsync();
        await Browser.ClickAsync("#subscribe");
        await Browser.WaitUntilAsync("document.querySelector('#subscribe').hidden");
        await WaitForFocusAsync("#standing, #unsubscribe:not([hidden])");
    }

    private Task WaitForFocusAsync(string selector) => Browser.WaitUntilAsync($"document.activeElement.matches('{selector}')");

    [Fact]
    public async Task The_page_shows_the_subscription_but_neither_its_endpoint_nor_its_keys()
    {
        await SubscribeAsync();

        var subscription = await SubscriptionAsync();
        Assert.Equal("ada", subscription.UserId);
        await WaitForTextAsync("#subscriptions li strong", $"{Browser.Name}, this browser");
        AssertState(await StateAsync(), subscribed: true);
        var page = (string)(await Browser.EvaluateAsync("document.documentElement.outerHTML"))!;
        Assert.All([subscription.Endpoint, subscription.P256dh, subscription.Auth], secret => Assert.DoesNotContain(secret, page, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_users_name_may_be_of_any_script()
    {
        await OpenPageAsync();
        await Browser.EvaluateAsync("void (document.querySelector('#user').value = '日本 Jürgen', document.querySelector('#user').dispatchEvent(new Event('change')))");
        await Browser.ClickAsync("#subscribe");
        await WaitForTextAsync("#standing", "This browser is subscribed.");

        Assert.Equal("日本 Jürgen", (await SubscriptionAsync()).UserId);
    }

    [Fact]
    public async Task The_page_knows_its_browser_after_a_key_rotation()
    {
        await SubscribeAsync();
        var before = (await SubscriptionAsync()).Id;
        await Host.RotateVapidKeysAsync();

        await OpenPageAsync();

        await Browser.WaitUntilAsync($"localStorage.getItem('notify.subscription') !== '{before}'");
        await Browser.WaitUntilAsync("document.querySelector('#subscriptions').textContent.includes(', this browser')");
        Assert.Equal($"{(await SubscriptionAsync()).Id}", (string?)await Browser.EvaluateAsync("localStorage.getItem('notify.subscription')"));
    }

    [Fact]
    public async Task Another_user_of_the_page_takes_the_subscription_over_and_sees_nothing_of_the_first_one()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync("(() => { const user = document.querySelector('#user'); user.value = 'bob'; user.dispatchEvent(new Event('change')); })()");
        await Browser.WaitUntilAsync("document.querySelector('#owner').textContent === 'bob' && document.querySelector('#subscriptions li')");
        Assert.Equal("bob", (await SubscriptionAsync()).UserId);

        var notHis = await PostAsync("for ada");
        var his = await Host.PostAsync(new MessagePosted { RecipientIds = ["bob"], Title = "for bob" });

        await Host.DeliveryAsync(his, "displayed");
        Assert.Equal("for bob", (string?)(await TakeNotificationAsync())["title"]);
        Assert.Equal(0, (await Host.GetAsync($"api/messages/{notHis}/deliveries", "publisher", Ct)).GetArrayLength());
    }

    [Fact]
    public async Task A_browser_that_was_unsubscribed_receives_again_once_it_is_subscribed_again()
    {
        await SubscribeAsync();
        await Browser.ClickAsync("#unsubscribe");
        await WaitForTextAsync("#standing", "Allowed, not subscribed.");

        await Browser.ClickAsync("#subscribe");
        await WaitForTextAsync("#standing", "This browser is subscribed.");

        await PostAsync("again");
        Assert.Equal("again", (string?)(await TakeNotificationAsync())["title"]);
    }
}

public sealed class ChromiumPageTests() : PageTests(BrowserKind.Chromium);

public sealed class FirefoxPageTests() : PageTests(BrowserKind.Firefox)
{
    /// <summary>Chromium's question is part of its window, of which there is none here.</summary>
    [Fact]
    public async Task A_user_is_asked_for_permission_and_allows_it()
    {
        var firefox = (Firefox)Browser;
        await firefox.AskForPermissionAsync();
        await OpenPageAsync();
        Assert.Equal("Your browser will ask for permission.", await TextAsync("#standing"));

        await Browser.ClickAsync("#subscribe");
        await firefox.AllowAsync();
        await WaitForTextAsync("#standing", "This browser is subscribed.");
    }
}
