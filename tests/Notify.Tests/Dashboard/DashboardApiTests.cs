using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Text.Json;
using Notify.LocalPushService;
using Notify.Tests.Authentication;
using Notify.WebPush;

namespace Notify.Tests.Dashboard;

/// <summary>What the dashboard is told.</summary>
public sealed class DashboardApiTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_is_told_live_how_push_services_and_workers_do()
    {
        await using var service = await NotifyService.StartAsync("--Notify:Sending:MaxAttempts=1");
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 403 });
        using var http = service.ClientOf("operator");
        await using var stream = await http.GetStreamAsync("api/dashboard/live", Cancellation);
        await using var events = SseParser.Create(stream).EnumerateAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        Assert.True(await events.MoveNextAsync());
        Assert.Equal("history", events.Current.EventType);
        foreach (var title in new[] { "refused", "accepted" })
        {
            await service.PostAsync(new { messageId = Guid.NewGuid(), recipientIds = new[] { "ada" }, title });
        }

        // A rate is seen in one report and gone in the next.
        var (attempts, outcomes, live) = (0.0, new HashSet<string>(), default(JsonElement));
        do
        {
            Assert.True(await events.MoveNextAsync());
            Assert.Equal("live", events.Current.EventType);
            live = JsonDocument.Parse(events.Current.Data).RootElement;
            attempts = Math.Max(attempts, live.GetProperty("now").GetProperty("attempts").GetDouble());
            outcomes.UnionWith(live.GetProperty("pushServices").EnumerateArray().SelectMany(each => each.GetProperty("outcomes").EnumerateObject()).Select(outcome => outcome.Name));
        }
        while (attempts == 0 || outcomes.Count < 2 || live.GetProperty("failures").GetArrayLength() == 0 || live.GetProperty("backlog").ValueKind == JsonValueKind.Null || live.GetProperty("browsers").ValueKind == JsonValueKind.Null);

        Assert.Equal(["accepted", "unauthorised"], outcomes.Order());
        var pushService = Assert.Single(live.GetProperty("pushServices").EnumerateArray());
        Assert.Equal((service.Push.Url.Authority, "closed"), (pushService.GetProperty("host").GetString(), pushService.GetProperty("breaker").GetString()));
        Assert.Equal(Environment.ProcessId, Assert.Single(live.GetProperty("workers").EnumerateArray()).GetProperty("processId").GetInt32());
        Assert.StartsWith("unauthorised", Assert.Single(live.GetProperty("failures").EnumerateArray()).GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(1, Assert.Single(live.GetProperty("browsers").EnumerateArray()).GetProperty("subscriptions").GetInt32());
    }

    [Fact]
    public async Task A_timeline_tells_of_posting_fan_out_each_attempt_the_end_and_what_the_browser_said()
    {
        await using var service = await NotifyService.StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, id) = await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 503, Times = 2 });
        var message = Guid.NewGuid();
        await service.PostAsync(new { messageId = message, recipientIds = new[] { "ada" }, title = "Hello" });
        await service.SettledAfterWaitsAsync(message, 1);
        var push = JsonDocument.Parse(browser.Received.First(each => each.Subscription == subscription).Content).RootElement.GetProperty("notification").GetProperty("data");
        using var http = service.ClientOf("operator");
        foreach (var what in new[] { "displayed", "clicked" })
        {
            using var reported = await http.PostAsJsonAsync("api/receipts", new { token = push.GetProperty("receipt").GetString(), @event = what }, Cancellation);
            Assert.Equal(HttpStatusCode.NoContent, reported.StatusCode);
        }

        var found = await Eventually.GetAsync(
            () => http.GetFromJsonAsync<JsonElement>($"api/dashboard/messages/{message}", Cancellation),
            seen => seen.GetProperty("deliveries") is var rows && rows.GetArrayLength() == 1 && rows[0].GetProperty("events").GetArrayLength() == 7);

        var events = found.GetProperty("deliveries")[0].GetProperty("events").EnumerateArray().ToList();
        Assert.Equal(["posted", "fannedOut", "attempted", "attempted", "accepted", "displayed", "clicked"], events.Select(each => each.GetProperty("what").GetString()));
        Assert.Equal([1, 2, 3], events.GetRange(2, 3).Select(each => each.GetProperty("attempt").GetInt32()));
        Assert.Equal([503, 503, 201], events.GetRange(2, 3).Select(each => each.GetProperty("status").GetInt32()));
        Assert.Equal("clicked", found.GetProperty("deliveries")[0].GetProperty("state").GetString());
        Assert.Equal(1, found.GetProperty("states").GetProperty("accepted").GetInt32());

        var user = await http.GetFromJsonAsync<JsonElement>("api/dashboard/users?id=ada", Cancellation);
        Assert.Equal(id, Assert.Single(user.GetProperty("subscriptions").EnumerateArray()).GetProperty("id").GetGuid());
        Assert.Equal(message, Assert.Single(user.GetProperty("deliveries").EnumerateArray()).GetProperty("messageId").GetGuid());
        Assert.DoesNotContain(subscription.Auth, $"{user}", StringComparison.Ordinal);
        Assert.DoesNotContain(new Uri(subscription.Endpoint).AbsolutePath, $"{user}", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_no_delivery_log_is_kept_it_says_so_and_subscriptions_are_still_told_to_be_alive()
    {
        await using var service = await NotifyService.StartAsync("--Notify:DeliveryLog:Enabled=false");
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, _) = await service.SubscribeAsync(browser.Agent, "ada");
        var message = Guid.NewGuid();
        await service.PostAsync(new { messageId = message, recipientIds = new[] { "ada" }, title = "Hello" });
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Any());
        using var http = service.ClientOf("ada");

        await Eventually.GetAsync(() => http.GetFromJsonAsync<List<JsonElement>>("api/subscriptions", Cancellation), seen => seen![0].GetProperty("lastAcceptedAt").ValueKind == JsonValueKind.String);
        foreach (var path in new[] { $"api/messages/{message}/deliveries", $"api/dashboard/messages/{message}" })
        {
            using var response = await http.GetAsync(path, Cancellation);
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
            Assert.Contains("Notify__DeliveryLog__Enabled", await response.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(null, HttpStatusCode.Unauthorized)]
    [InlineData("notify.publish", HttpStatusCode.Forbidden)]
    [InlineData("notify.publish notify.operate", HttpStatusCode.OK)]
    public async Task Only_who_has_the_scope_for_it_sees_it_and_the_page_holds_nothing(string? scope, HttpStatusCode expected)
    {
        using var pair = VapidKeyPair.Generate();
        await using var service = await NotifyService.StartAsync(
            "--environment=Production", "--Notify:Vapid:Subject=mailto:ops@example.com", $"--Notify:Vapid:PublicKey={pair.PublicKey}", $"--Notify:Vapid:PrivateKey={pair.PrivateKey}",
            $"--Notify:Auth:SigningKey={Tokens.SigningKey}", "--Notify:Auth:Audience=notify");
        using var http = new HttpClient { BaseAddress = service.Url };
        if (scope is not null)
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Tokens.Signed(token => token.Subject = Tokens.Claims(("sub", "ops"), ("scope", scope))));
        }

        using var live = await http.GetAsync("api/dashboard/live", HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var user = await http.GetAsync("api/dashboard/users?id=ada", Cancellation);

        Assert.Equal((expected, expected), (live.StatusCode, user.StatusCode));
    }

    [Fact]
    public async Task A_token_without_an_end_lets_look_on()
    {
        using var pair = VapidKeyPair.Generate();
        await using var service = await NotifyService.StartAsync(
            "--environment=Production", "--Notify:Vapid:Subject=mailto:ops@example.com", $"--Notify:Vapid:PublicKey={pair.PublicKey}", $"--Notify:Vapid:PrivateKey={pair.PrivateKey}",
            $"--Notify:Auth:SigningKey={Tokens.SigningKey}", "--Notify:Auth:Audience=notify");
        using var http = new HttpClient { BaseAddress = service.Url };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
            "Bearer", Tokens.Signed(token => (token.Subject, token.Expires) = (Tokens.Claims(("sub", "ops"), ("scope", "notify.operate")), DateTime.MaxValue)));

        using var live = await http.GetAsync("api/dashboard/live", HttpCompletionOption.ResponseHeadersRead, Cancellation);

        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
    }
}
