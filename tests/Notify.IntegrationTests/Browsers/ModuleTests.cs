using Notify.Contracts;

namespace Notify.IntegrationTests.Browsers;

public sealed class ModuleTests : BrowserTest
{
    [Fact]
    public async Task Subscribing_again_changes_nothing()
    {
        await SubscribeAsync();
        var before = await SubscriptionAsync();

        var again = await Firefox.EvaluateAsync($"Promise.all([1, 2].map(async () => {Module}.subscribe()))");

        Assert.All(again!.AsArray(), each => Assert.Equal((before.Id, false), ((Guid)each!["id"]!, (bool)each["isNew"]!)));
        Assert.Equal(before.Endpoint, (await SubscriptionAsync()).Endpoint);
    }

    [Fact]
    public async Task A_subscription_made_with_a_previous_application_server_key_still_receives_and_is_replaced_by_the_next_call()
    {
        await SubscribeAsync();
        var old = await SubscriptionAsync();
        await Host.RotateVapidKeysAsync();
        await PostAsync("by the old key");
        Assert.Equal("by the old key", (string?)(await TakeNotificationAsync())["title"]);

        var registered = await Firefox.EvaluateAsync($"{Module}.subscribe()");

        Assert.True((bool)registered!["isNew"]!);
        var replaced = await SubscriptionAsync();
        Assert.NotEqual(old.Endpoint, replaced.Endpoint);
        Assert.NotEqual(old.ApplicationServerKey, replaced.ApplicationServerKey);
        await PostAsync("by the new key");
        Assert.Equal("by the new key", (string?)(await TakeNotificationAsync())["title"]);
    }

    [Fact]
    public async Task A_refusal_reaches_the_caller_with_its_code_and_is_made_good_by_the_next_call()
    {
        await Host.RestartServiceAsync("--Notify:Subscriptions:MaxPerUser=1");
        var another = await Host.SubscribeAnotherAsync("ada", Ct);
        await OpenPageAsync();
        await Firefox.ClickAsync("#subscribe");
        await Firefox.WaitUntilAsync("document.querySelector('#problem-text').textContent.startsWith('This user has as many subscriptions as allowed')");

        const string Error = "({ name: error.name, code: error.code, status: error.status })";
        var error = await Firefox.EvaluateAsync($"{Module}.subscribe().catch((error) => {Error})");
        Assert.Equal(("NotifyError", "too_many_subscriptions", 422), ((string)error!["name"]!, (string)error["code"]!, (int)error["status"]!));
        var state = await StateAsync();
        Assert.Equal((true, false), ((bool)state["subscribed"]!, (bool)state["registered"]!));

        await Host.DeleteSubscriptionAsync("ada", another, Ct);
        await Firefox.EvaluateAsync($"{Module}.subscribe()");
        AssertState(await StateAsync(), subscribed: true);
    }

    [Fact]
    public async Task A_page_that_is_opened_again_makes_good_that_the_service_has_forgotten_the_browser()
    {
        await SubscribeAsync();
        var forgotten = await SubscriptionAsync();
        await Host.DeleteSubscriptionAsync("ada", forgotten.Id, Ct);

        await OpenPageAsync();

        await Firefox.EvaluateAsync($"{Module}.reconcile()");
        var again = await SubscriptionAsync();
        Assert.Equal((forgotten.Endpoint, "ada"), (again.Endpoint, again.UserId));
    }

    [Fact]
    public async Task A_page_that_is_opened_again_moves_the_browser_to_the_services_new_key()
    {
        await SubscribeAsync();
        var old = await SubscriptionAsync();
        await Host.RotateVapidKeysAsync();

        await OpenPageAsync();

        await Firefox.EvaluateAsync($"{Module}.reconcile()");
        Assert.NotEqual(old.ApplicationServerKey, (await SubscriptionAsync()).ApplicationServerKey);
        await PostAsync("by the new key");
        Assert.Equal("by the new key", (string?)(await TakeNotificationAsync())["title"]);
    }

    [Fact]
    public async Task A_page_that_is_opened_again_tells_the_service_that_the_permission_was_taken_back()
    {
        await SubscribeAsync();
        await Firefox.BlockAsync();

        await OpenPageAsync();

        await Firefox.EvaluateAsync($"{Module}.reconcile()");
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
        Assert.Equal("Notifications are blocked: allow them in the browser's settings for this site.", await TextAsync("#standing"));
    }

    [Fact]
    public async Task A_browser_that_was_unsubscribed_is_left_alone()
    {
        await SubscribeAsync();
        await Firefox.ClickAsync("#unsubscribe");
        await WaitForTextAsync("#standing", "Allowed, not subscribed.");

        await OpenPageAsync();

        Assert.Null(await Firefox.EvaluateAsync($"{Module}.reconcile().then((registered) => registered ?? null)"));
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
        AssertState(await StateAsync(), subscribed: false);
    }

    [Fact]
    public async Task A_browser_that_lost_its_subscription_unasked_is_unsubscribed_for_good_all_the_same()
    {
        await SubscribeAsync();
        await Firefox.EvaluateAsync("navigator.serviceWorker.ready.then(async ({ pushManager }) => void (await (await pushManager.getSubscription()).unsubscribe()))");

        Assert.False((bool)(await Firefox.EvaluateAsync($"{Module}.unsubscribe()"))!);

        Assert.Empty(await Host.SubscriptionsAsync(Ct));
        await OpenPageAsync();
        await Firefox.EvaluateAsync($"{Module}.reconcile().then(() => null)");
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
    }

    [Fact]
    public async Task A_browser_is_unsubscribed_also_when_the_service_cannot_be_told()
    {
        await SubscribeAsync();
        var code = await Firefox.EvaluateAsync($"{Module}.unsubscribe({{ api: 'http://127.0.0.1:9/' }}).catch((error) => error.code)");
        Assert.Equal("network_error", (string?)code);
        AssertState(await StateAsync(), subscribed: false);
    }

    [Fact]
    public async Task An_application_on_another_origin_imports_all_of_it()
    {
        await using var application = await ApplicationHost.StartAsync(Host.Url, Ct);
        await Firefox.NavigateAsync(application.Url);
        await Firefox.WaitUntilAsync("window.arrived");
        await Firefox.EvaluateAsync("notify.subscribe()");
        Assert.Equal("grace", (await SubscriptionAsync()).UserId);

        var message = await Host.PostAsync(new MessagePosted { RecipientIds = ["grace"], Title = "Reply?", Actions = [new("reply", "Reply", "/reply?to=1")] });
        await Firefox.WaitUntilAsync("arrived.length === 1 && arrived[0].title === 'Reply?'");
        await Firefox.WaitUntilAsync($"{Shown}.then((shown) => shown.length === 1)");

        await Firefox.EvaluateAsync("void navigator.serviceWorker.controller.postMessage('reply')");
        await Firefox.WaitForTabsAsync(new Uri(application.Url, "/reply?to=1"));
        Assert.Equal("reply", (await Host.DeliveryAsync(message, "clicked")).GetProperty("clickedAction").GetString());
        await Firefox.WaitUntilAsync("window.arrived");

        await Firefox.EvaluateAsync("void (notify.onMessage(() => window.heard = true), stop())");
        await Host.PostAsync(new MessagePosted { RecipientIds = ["grace"], Title = "Unheard by the first" });
        await Firefox.WaitUntilAsync("window.heard");
        Assert.Equal(0, (int)(await Firefox.EvaluateAsync("arrived.length"))!);
        Assert.Empty(Firefox.ConsoleErrors);
    }
}
