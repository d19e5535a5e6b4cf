using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Tests;

namespace Notify.IntegrationTests.Browsers;

public abstract class ModuleTests(BrowserKind kind) : BrowserTest(kind)
{
    [Fact]
    public async Task Subscribing_again_changes_nothing()
    {
        await SubscribeAsync();
        var before = await SubscriptionAsync();

        var again = await Browser.EvaluateAsync($"Promise.all([1, 2].map(async () => {Module}.subscribe()))");

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

        var registered = await Browser.EvaluateAsync($"{Module}.subscribe()");

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
        await Browser.ClickAsync("#subscribe");
        await Browser.WaitUntilAsync("document.querySelector('#problem-text').textContent.startsWith('This user has as many subscriptions as allowed')");

        const string Error = "({ name: error.name, code: error.code, status: error.status })";
        var error = await Browser.EvaluateAsync($"{Module}.subscribe().catch((error) => {Error})");
        Assert.Equal(("NotifyError", "too_many_subscriptions", 422), ((string)error!["name"]!, (string)error["code"]!, (int)error["status"]!));
        var state = await StateAsync();
        Assert.Equal((true, false), ((bool)state["subscribed"]!, (bool)state["registered"]!));

        await Host.DeleteSubscriptionAsync("ada", another, Ct);
        await Browser.EvaluateAsync($"{Module}.subscribe()");
        AssertState(await StateAsync(), subscribed: true);
    }

    [Fact]
    public async Task A_page_that_is_opened_again_makes_good_that_the_service_has_forgotten_the_browser()
    {
        await SubscribeAsync();
        var forgotten = await SubscriptionAsync();
        await Host.DeleteSubscriptionAsync("ada", forgotten.Id, Ct);

        await OpenPageAsync();

        await Browser.EvaluateAsync($"{Module}.reconcile()");
        var again = await SubscriptionAsync();
        Assert.Equal("ada", again.UserId);

        // The browser cannot know whether the old one had come to its end at its push service.
        Assert.NotEqual(forgotten.Endpoint, again.Endpoint);
    }

    [Fact]
    public async Task A_page_that_is_opened_again_makes_good_that_the_subscription_had_expired()
    {
        await SubscribeAsync();
        var expired = await SubscriptionAsync();
        Host.Faults.Add(new PushFault { Status = 410 });
        await PostAsync("too late");
        await Eventually.GetAsync(() => Host.SubscriptionsAsync(Ct), subscriptions => subscriptions.All(each => each.Id != expired.Id));

        await OpenPageAsync();

        await Browser.EvaluateAsync($"{Module}.reconcile()");
        Assert.NotEqual(expired.Endpoint, (await SubscriptionAsync()).Endpoint);
        await PostAsync("in time");
        Assert.Equal("in time", (string?)(await TakeNotificationAsync())["title"]);
    }

    [Fact]
    public async Task Of_calls_that_are_not_waited_for_the_last_one_counts()
    {
        await OpenPageAsync();

        var answers = await Browser.EvaluateAsync($"{Module}.subscribe && Promise.all([{Module}].flatMap((notify) => [notify.subscribe(), notify.unsubscribe()]))");

        Assert.True((bool)answers![1]!);
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
    }

    [Fact]
    public async Task A_push_service_that_cannot_be_reached_is_told_with_its_code_and_holds_nothing_up()
    {
        await BeImpatientAsync();
        await OpenPageAsync();
        await Browser.EvaluateAsync("navigator.serviceWorker.register('/service-worker.js').then(() => navigator.serviceWorker.ready).then(() => true)");
        await Browser.SetOfflineAsync(true);

        await Browser.EvaluateAsync("window.isImpatient = true");
        Assert.Equal("push_service_unavailable", (string?)await Browser.EvaluateAsync($"{Module}.subscribe().catch((error) => error.code)"));
        Assert.False((bool)(await Browser.EvaluateAsync($"{Module}.unsubscribe()"))!);
        Assert.Empty(await Host.SubscriptionsAsync(Ct));

        await Browser.EvaluateAsync("window.isImpatient = false");
        await Browser.SetOfflineAsync(false);
        await Browser.WaitUntilAsync($"{Module}.subscribe().then(() => true, () => false)");
        AssertState(await StateAsync(), subscribed: true);
        await PostAsync("after all");
        Assert.Equal("after all", (string?)(await TakeNotificationAsync())["title"]);
    }

    [Fact]
    public async Task Headers_that_never_come_or_cannot_be_had_are_told_with_a_code_and_hold_nothing_up()
    {
        await BeImpatientAsync();
        await OpenPageAsync();

        await Browser.EvaluateAsync("window.isImpatient = true");
        var errors = await Browser.EvaluateAsync($$"""
            Promise.all([{{Module}}].flatMap((notify) => [() => new Promise(() => {}), () => { throw new Error("signed out"); }].map((headers) =>
              notify.subscribe({ headers }).catch(({ name, code, cause }) => [name, code, cause.name, cause.message].join(": ")))))
            """);

        Assert.Equal(
            ["NotifyError: headers_failed: TimeoutError: No answer within 30 seconds.", "NotifyError: headers_failed: Error: signed out"],
            errors!.AsArray().Select(error => (string)error!));
        await Browser.EvaluateAsync("window.isImpatient = false");
        await Browser.EvaluateAsync($"{Module}.subscribe()");
        AssertState(await StateAsync(), subscribed: true);
    }

    [Fact]
    public async Task Where_site_data_are_blocked_it_is_told_with_its_code()
    {
        await Browser.BlockSiteDataAsync();
        await OpenPageAsync();

        var errors = await Browser.EvaluateAsync(
            $"Promise.all([{Module}].flatMap((notify) => ['subscribe', 'unsubscribe', 'reconcile'].map((name) => notify[name]().catch(({{ name, code }}) => name + ': ' + code))))");

        Assert.All(errors!.AsArray(), error => Assert.Equal("NotifyError: storage_blocked", (string?)error));
        var state = await StateAsync();
        Assert.Equal((false, "siteData"), ((bool)state["supported"]!, (string)Assert.Single(state["missing"]!.AsArray())!));
    }

    [Fact]
    public async Task A_permission_that_is_denied_is_told_with_its_code()
    {
        await OpenPageAsync();
        await Browser.BlockAsync();

        var code = await Browser.EvaluateAsync($"{Module}.subscribe().catch((error) => error.code)");

        Assert.Equal("permission_denied", (string?)code);
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
    }

    [Fact]
    public async Task A_page_that_is_opened_again_moves_the_browser_to_the_services_new_key()
    {
        await SubscribeAsync();
        var old = await SubscriptionAsync();
        await Host.RotateVapidKeysAsync();

        await OpenPageAsync();

        await Browser.EvaluateAsync($"{Module}.reconcile()");
        Assert.NotEqual(old.ApplicationServerKey, (await SubscriptionAsync()).ApplicationServerKey);
        await PostAsync("by the new key");
        Assert.Equal("by the new key", (string?)(await TakeNotificationAsync())["title"]);
    }

    [Fact]
    public async Task An_endpoint_that_changed_before_the_key_did_leaves_none_behind()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync("""
            navigator.serviceWorker.ready.then(async ({ pushManager }) => {
              const subscription = await pushManager.getSubscription();
              const { applicationServerKey } = subscription.options;
              await subscription.unsubscribe();
              await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
            })
            """);
        await Host.RotateVapidKeysAsync();

        await Browser.EvaluateAsync($"{Module}.reconcile()");

        await SubscriptionAsync();
        await PostAsync("once");
        Assert.Equal("once", (string?)(await TakeNotificationAsync())["title"]);
    }

    [Fact]
    public async Task A_page_that_is_opened_again_tells_the_service_that_the_permission_was_taken_back()
    {
        await SubscribeAsync();
        await Browser.BlockAsync();

        await OpenPageAsync();

        await Browser.EvaluateAsync($"{Module}.reconcile()");
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
        Assert.Equal("Notifications are blocked: allow them in the browser's settings for this site.", await TextAsync("#standing"));
    }

    [Fact]
    public async Task A_browser_that_was_unsubscribed_is_left_alone()
    {
        await SubscribeAsync();
        await Browser.ClickAsync("#unsubscribe");
        await WaitForTextAsync("#standing", "Allowed, not subscribed.");

        await OpenPageAsync();

        Assert.Null(await Browser.EvaluateAsync($"{Module}.reconcile().then((registered) => registered ?? null)"));
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
        AssertState(await StateAsync(), subscribed: false);
    }

    [Fact]
    public async Task A_browser_that_lost_its_subscription_unasked_is_unsubscribed_for_good_all_the_same()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync("navigator.serviceWorker.ready.then(async ({ pushManager }) => void (await (await pushManager.getSubscription()).unsubscribe()))");

        Assert.False((bool)(await Browser.EvaluateAsync($"{Module}.unsubscribe()"))!);

        Assert.Empty(await Host.SubscriptionsAsync(Ct));
        await OpenPageAsync();
        await Browser.EvaluateAsync($"{Module}.reconcile().then(() => null)");
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
    }

    [Fact]
    public async Task A_browser_is_unsubscribed_also_when_the_service_cannot_be_told()
    {
        await SubscribeAsync();
        var code = await Browser.EvaluateAsync($"{Module}.unsubscribe({{ api: 'http://127.0.0.1:9/' }}).catch((error) => error.code)");
        Assert.Equal("network_error", (string?)code);
        AssertState(await StateAsync(), subscribed: false);
    }

    [Fact]
    public async Task A_browser_is_unsubscribed_at_once_however_long_the_service_takes_and_so_is_what_it_shows()
    {
        await SubscribeAsync();
        await PostAsync("of ada's");
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 1);
        await Browser.EvaluateAsync("void (window.fetch = () => new Promise(() => {}))");

        // The page may be left before the service answers.
        await Browser.EvaluateAsync($"void {Module}.unsubscribe()");

        await Browser.WaitUntilAsync("navigator.serviceWorker.ready.then(({ pushManager }) => pushManager.getSubscription()).then((subscription) => !subscription)");
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 0);
    }

    [Fact]
    public async Task An_unsubscribe_that_had_not_had_its_turn_when_the_page_was_left_is_finished_by_the_next()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync("void (window.fetch = () => new Promise(() => {}))");
        await Browser.EvaluateAsync($"void [{Module}].forEach((notify) => (notify.reconcile(), notify.unsubscribe()))");
        await Browser.WaitUntilAsync("""
            new Promise((resolve, reject) => Object.assign(indexedDB.open("notify.js", 1), { onsuccess: ({ target }) => resolve(target.result), onerror: reject }))
              .then((database) => new Promise((resolve) => {
                database.transaction("settings").objectStore("settings").get(`ending ${location.origin}/`).onsuccess = ({ target }) => (database.close(), resolve(Boolean(target.result)));
              }))
            """);

        await OpenPageAsync();

        Assert.Null(await Browser.EvaluateAsync($"{Module}.reconcile().then((registered) => registered ?? null)"));
        AssertState(await StateAsync(), subscribed: false);
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
        await Browser.EvaluateAsync($"{Module}.subscribe()");
        AssertState(await StateAsync(), subscribed: true);
        Assert.False((bool)(await Browser.EvaluateAsync($"{Module}.reconcile()"))!["isNew"]!);
    }

    [Fact]
    public async Task Who_subscribes_after_an_unsubscribe_that_failed_stays_subscribed()
    {
        await SubscribeAsync();
        await Browser.EvaluateAsync("void (window.original = PushSubscription.prototype.unsubscribe, PushSubscription.prototype.unsubscribe = () => Promise.reject(new Error('no')))");
        Assert.Equal("push_service_unavailable", (string?)await Browser.EvaluateAsync($"{Module}.unsubscribe().catch((error) => error.code)"));
        await Browser.EvaluateAsync("void (PushSubscription.prototype.unsubscribe = original)");

        await Browser.EvaluateAsync($"{Module}.subscribe()");
        await OpenPageAsync();

        Assert.NotNull(await Browser.EvaluateAsync($"{Module}.reconcile()"));
        AssertState(await StateAsync(), subscribed: true);
    }

    [Fact]
    public async Task Headers_may_be_of_any_kind_that_fetch_takes()
    {
        await SubscribeAsync();

        foreach (var headers in new[] { "new Headers({ 'X-Notify-User': 'ada' })", "() => new Headers({ 'X-Notify-User': 'ada' })", "new Proxy({ 'X-Notify-User': 'ada' }, {})", "[['X-Notify-User', 'ada']]" })
        {
            Assert.False((bool)(await Browser.EvaluateAsync($"{Module}.subscribe({{ headers: {headers} }})"))!["isNew"]!);
        }

        Assert.Equal("headers_failed", (string?)await Browser.EvaluateAsync($"{Module}.subscribe({{ headers: {{ 'X-Notify-User': 'a\\nb' }} }}).catch((error) => error.code)"));
    }

    [Theory]
    [InlineData("api", "http://")]
    [InlineData("serviceWorker", "http://")]
    [InlineData("scope", "http://")]
    public async Task An_option_that_is_no_url_is_told_with_a_code(string option, string value)
    {
        await OpenPageAsync();

        var error = await Browser.EvaluateAsync($"{Module}.subscribe({{ {option}: '{value}' }}).catch(({{ name, code, message }}) => ({{ name, code, message }}))");

        Assert.Equal(("NotifyError", "invalid_options", $"The option {option} is no URL: {value}."), ((string)error!["name"]!, (string)error["code"]!, (string)error["message"]!));
    }

    [Fact]
    public async Task A_worker_that_the_application_has_registered_is_taken_as_it_is()
    {
        await SubscribeAsync();

        // A module, say, which could not be registered as a script.
        await Browser.EvaluateAsync("void (ServiceWorkerContainer.prototype.register = () => Promise.reject(new TypeError('not as a script')))");

        Assert.False((bool)(await Browser.EvaluateAsync($"{Module}.subscribe()"))!["isNew"]!);
    }

    [Fact]
    public async Task An_application_on_another_origin_imports_all_of_it()
    {
        await using var application = await ApplicationHost.StartAsync(Host.Url, Ct);
        await Browser.NavigateAsync(application.Url);
        await Browser.WaitUntilAsync("window.arrived");
        await Browser.EvaluateAsync("notify.subscribe()");
        Assert.Equal("grace", (await SubscriptionAsync()).UserId);

        var message = await Host.PostAsync(new MessagePosted { RecipientIds = ["grace"], Title = "Reply?", Actions = [new("reply", "Reply", "/reply?to=1")] });
        await Browser.WaitUntilAsync("arrived.length === 1 && arrived[0].title === 'Reply?'");
        await Browser.WaitForNotificationsAsync(shown => shown.Count == 1);

        await Browser.ClickActionAsync("reply", "Reply");
        await Browser.WaitForTabsAsync(new Uri(application.Url, "/reply?to=1"));
        Assert.Equal("reply", (await Host.DeliveryAsync(message, "clicked")).GetProperty("clickedAction").GetString());
        await Browser.WaitUntilAsync("window.arrived");

        await Browser.EvaluateAsync("void (notify.onMessage(() => window.heard = true), stop())");
        await Host.PostAsync(new MessagePosted { RecipientIds = ["grace"], Title = "Unheard by the first" });
        await Browser.WaitUntilAsync("window.heard");
        Assert.Equal(0, (int)(await Browser.EvaluateAsync("arrived.length"))!);
        Assert.Empty(Browser.ConsoleErrors);
    }

    [Fact]
    public async Task A_page_in_place_of_the_services_answer_is_told_with_a_code()
    {
        await using var application = await ApplicationHost.StartAsync(Host.Url, Ct);
        await Browser.NavigateAsync(application.Url);
        await Browser.WaitUntilAsync("window.arrived");

        var error = await Browser.EvaluateAsync("notify.subscribe({ api: location.origin }).catch(({ name, code, status }) => ({ name, code, status }))");

        Assert.Equal(("NotifyError", "http_200", 200), ((string)error!["name"]!, (string)error["code"]!, (int)error["status"]!));
    }

    [Fact]
    public async Task A_click_leaves_a_window_alone_that_cannot_be_led()
    {
        await using var application = await ApplicationHost.StartAsync(Host.Url, Ct);
        await Browser.NavigateAsync(application.Url);
        await Browser.WaitUntilAsync("window.arrived");
        await Browser.EvaluateAsync($"notify.subscribe({{ serviceWorker: '{ApplicationHost.WorkerOfAPart}' }})");
        await Browser.NavigateAsync(application.Plain);
        await Host.PostAsync(new MessagePosted { RecipientIds = ["grace"], Title = "Click", Url = "/part/rooms/7" });

        await Browser.ClickNotificationAsync();

        await Browser.WaitForTabsAsync(application.Plain, new Uri(application.Url, "/part/rooms/7"));
    }

    // The module's half minute is a second while the page is impatient.
    private Task BeImpatientAsync() => Browser.PreloadAsync(
        "() => { const original = setTimeout; window.setTimeout = (action, after, ...rest) => original(action, window.isImpatient && after === 30_000 ? 1000 : after, ...rest); }");
}

public sealed class ChromiumModuleTests() : ModuleTests(BrowserKind.Chromium);

public sealed class FirefoxModuleTests() : ModuleTests(BrowserKind.Firefox)
{
    /// <summary>Chromium's question is part of its window, of which there is none here.</summary>
    [Fact]
    public async Task A_second_call_while_the_user_is_asked_waits_for_the_same_answer()
    {
        var firefox = (Firefox)Browser;
        await firefox.AskForPermissionAsync();
        await OpenPageAsync();
        await Browser.ClickAsync("#subscribe");
        await Browser.EvaluateAsync($"void (window.second = {Module}.subscribe())");

        await firefox.AllowAsync();

        Assert.NotNull((await Browser.EvaluateAsync("window.second"))!["id"]);
        await WaitForTextAsync("#standing", "This browser is subscribed.");
        await SubscriptionAsync();
    }

    /// <inheritdoc cref="A_second_call_while_the_user_is_asked_waits_for_the_same_answer" />
    [Fact]
    public async Task A_question_that_is_not_answered_holds_nothing_up_and_an_unsubscribe_meanwhile_counts()
    {
        var firefox = (Firefox)Browser;
        await firefox.AskForPermissionAsync();
        await OpenPageAsync();
        await Browser.ClickAsync("#subscribe");

        Assert.False((bool)(await Browser.EvaluateAsync($"{Module}.unsubscribe()"))!);

        await firefox.AllowAsync();
        await WaitForTextAsync("#problem-text", "unsubscribe() was called while the user was asked for permission.");
        await WaitForTextAsync("#standing", "Allowed, not subscribed.");
        Assert.Empty(await Host.SubscriptionsAsync(Ct));
    }
}
