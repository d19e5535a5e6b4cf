using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.LocalPushService;
using Notify.WebPush;

namespace Notify.Tests.Deliveries;

/// <summary>What service workers report, and who can report it.</summary>
public sealed class ReceiptsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_displayed_and_then_clicked_is_shown_and_published_and_the_first_report_of_each_counts()
    {
        await using var service = await NotifyService.StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var events = await ListenAsync(service);
        var (subscription, id) = await service.SubscribeAsync(browser.Agent, "ada");
        var (message, token) = await PushAsync(service, browser, subscription);

        Assert.Equal(HttpStatusCode.NoContent, await ReportAsync(service, new { token, @event = "displayed" }));
        var displayed = await DeliveryAsync(service, message, "displayed");
        Assert.Equal(HttpStatusCode.NoContent, await ReportAsync(service, new { token, @event = "displayed" }));
        Assert.Equal(HttpStatusCode.NoContent, await ReportAsync(service, new { token, @event = "clicked", action = "reply" }));
        Assert.Equal(HttpStatusCode.NoContent, await ReportAsync(service, new { token, @event = "clicked" }));
        var clicked = await DeliveryAsync(service, message, "clicked");
        await Eventually.TrueAsync(() => events.Count == 4);

        Assert.Equal(displayed.GetProperty("displayedAt").GetDateTimeOffset(), clicked.GetProperty("displayedAt").GetDateTimeOffset());
        Assert.True(clicked.GetProperty("clickedAt").GetDateTimeOffset() >= clicked.GetProperty("displayedAt").GetDateTimeOffset());
        Assert.Equal("reply", clicked.GetProperty("clickedAction").GetString());
        Assert.Equal((1, 201), (clicked.GetProperty("attempts").GetInt32(), clicked.GetProperty("status").GetInt32()));
        Assert.Equal(2, events.OfType<PushDisplayed>().Count(report => (report.SubscriptionId, report.UserId, report.MessageId) == (id, "ada", message)));
        Assert.Equal(["", "reply"], events.OfType<PushClicked>().Select(report => report.Action ?? "").Order());
    }

    [Fact]
    public async Task That_one_subscription_displayed_it_says_nothing_of_another()
    {
        await using var service = await NotifyService.StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, id) = await service.SubscribeAsync(browser.Agent, "ada");
        var (_, otherId) = await service.SubscribeAsync(browser.Agent, "ada");
        var (message, token) = await PushAsync(service, browser, subscription, subscriptions: 2);

        Assert.Equal(HttpStatusCode.NoContent, await ReportAsync(service, new { token, @event = "displayed" }));

        var rows = await Eventually.GetAsync(() => service.DeliveriesAsync(message), rows => rows.Any(row => row.GetProperty("state").GetString() == "displayed"));
        Assert.Equal(
            new[] { (id, "displayed"), (otherId, "accepted") }.Order(), rows.Select(row => (row.GetProperty("subscriptionId").GetGuid(), row.GetProperty("state").GetString()!)).Order());
    }

    [Fact]
    public async Task A_token_is_worth_nothing_for_another_push_or_another_user()
    {
        await using var service = await NotifyService.StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, _) = await service.SubscribeAsync(browser.Agent, "ada");
        var (other, otherId) = await service.SubscribeAsync(browser.Agent, "grace");
        var (_, token) = await PushAsync(service, browser, subscription);
        var (_, otherToken) = await PushAsync(service, browser, other, "grace");

        // Of the message, of the subscription, and of the proof.
        foreach (var place in new[] { 0, 21, 22, 42, 43, 63 })
        {
            var forged = string.Concat(token.AsSpan(0, place), token[place] == 'A' ? "B" : "A", token.AsSpan(place + 1));
            Assert.Equal(HttpStatusCode.BadRequest, await ReportAsync(service, new { token = forged, @event = "displayed" }));
        }

        // 16 bytes are not a whole number of characters, so the parts are joined as bytes.
        var (mine, theirs) = (Bytes(token), Bytes(otherToken));
        foreach (var mixed in new byte[][] { [.. theirs[..16], .. mine[16..]], [.. mine[..16], .. theirs[16..32], .. mine[32..]], [.. mine[..32], .. theirs[32..]] })
        {
            Assert.Equal(HttpStatusCode.BadRequest, await ReportAsync(service, new { token = System.Buffers.Text.Base64Url.EncodeToString(mixed), @event = "displayed" }));
        }

        Assert.Equal(HttpStatusCode.NoContent, await ReportAsync(service, new { token, @event = "displayed" }));
        using (var grace = service.ClientOf("grace"))
        {
            await NotifyService.RegisterAsync(grace, subscription.ToJson());
        }

        Assert.Equal(HttpStatusCode.BadRequest, await ReportAsync(service, new { token, @event = "clicked" }));
        Assert.Equal(HttpStatusCode.NoContent, await ReportAsync(service, new { token = otherToken, @event = "displayed" }));
        using (var grace = service.ClientOf("grace"))
        using (var removed = await grace.DeleteAsync($"api/subscriptions/{otherId}", Cancellation))
        {
            Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        }

        Assert.Equal(HttpStatusCode.BadRequest, await ReportAsync(service, new { token = otherToken, @event = "clicked" }));
    }

    [Fact]
    public async Task A_token_outlives_a_change_of_the_application_server_key()
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        using var first = VapidKeyPair.Generate();
        using var second = VapidKeyPair.Generate();
        string token;
        Guid message;
        await using (var service = await NotifyService.StartAsync(folder, null, SettingsOf("Vapid", first)))
        {
            await using var browser = await Browser.OpenAsync(service);
            var (subscription, _) = await service.SubscribeAsync(browser.Agent, "ada");
            (message, token) = await PushAsync(service, browser, subscription);
        }

        await using (var service = await NotifyService.StartAsync(folder, null, [.. SettingsOf("Vapid", second), .. SettingsOf("Vapid:Previous:0", first)]))
        {
            Assert.Equal(HttpStatusCode.NoContent, await ReportAsync(service, new { token, @event = "displayed" }));
            await DeliveryAsync(service, message, "displayed");
        }

        await using (var service = await NotifyService.StartAsync(folder, null, SettingsOf("Vapid", second)))
        {
            Assert.Equal(HttpStatusCode.BadRequest, await ReportAsync(service, new { token, @event = "displayed" }));
        }

        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task Where_receipts_are_switched_off_no_push_carries_a_token()
    {
        await using var service = await NotifyService.StartAsync("--Notify:DeliveryLog:Receipts=false");
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, _) = await service.SubscribeAsync(browser.Agent, "ada");

        var (_, token) = await PushAsync(service, browser, subscription);

        Assert.Null(token);
        Assert.Equal(HttpStatusCode.NotFound, await ReportAsync(service, new { token = new string('A', ReceiptTokens.Length), @event = "displayed" }));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("""{"token":"t"}""")]
    [InlineData("""{"event":"displayed"}""")]
    [InlineData("""{"token":"t","event":"opened"}""")]
    [InlineData("""{"token":7,"event":"displayed"}""")]
    [InlineData("""{"token":"t","event":"clicked","action":""}""")]
    [InlineData("""{"token":"t","event":"clicked","action":"\u0000"}""")]
    [InlineData("""{"token":"t","event":"clicked","action":"\ud800"}""")]
    [InlineData("""{"token":"t","token":"t","event":"displayed"}""")]
    public void What_is_no_report_is_not_taken_for_one(string body) => Assert.Null(ReceiptsApi.Parse(Encoding.UTF8.GetBytes(body)));

    [Fact]
    public async Task A_faulty_report_is_told_what_is_wrong()
    {
        await using var service = await NotifyService.StartAsync();
        using var http = new HttpClient { BaseAddress = service.Url };

        Assert.Equal((HttpStatusCode.BadRequest, "parse_error"), await PostAsync("{}"));
        Assert.Equal((HttpStatusCode.BadRequest, "invalid_receipt"), await PostAsync("""{"token":"t","event":"displayed"}"""));
        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, "too_large"), await PostAsync($$"""{"token":"{{new string('t', 2_100)}}","event":"displayed"}"""));

        async Task<(HttpStatusCode, string?)> PostAsync(string json)
        {
            using var content = new StringContent(json, Encoding.UTF8, "application/json");
            using var response = await http.PostAsync("api/receipts", content, Cancellation);
            return (response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("code").GetString());
        }
    }

    private static async Task<(Guid Message, string Token)> PushAsync(NotifyService service, Browser browser, LocalSubscription subscription, string user = "ada", int subscriptions = 1)
    {
        var message = new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = [user], Title = "Hello" };
        await service.PostAsync(message);
        await service.SettledDeliveriesAsync(message.MessageId, subscriptions);
        await Eventually.TrueAsync(() => browser.Received.Any(push => push.Subscription == subscription));
        var data = JsonDocument.Parse(browser.Received.Single(push => push.Subscription == subscription).Content).RootElement.GetProperty("notification").GetProperty("data");
        Assert.Equal(message.MessageId, data.GetProperty("messageId").GetGuid());
        return (message.MessageId, data.TryGetProperty("receipt", out var token) ? token.GetString()! : null!);
    }

    private static async Task<HttpStatusCode> ReportAsync(NotifyService service, object report)
    {
        // As a service worker does: nobody in particular.
        using var http = new HttpClient { BaseAddress = service.Url };
        using var response = await http.PostAsJsonAsync("api/receipts", report, Cancellation);
        return response.StatusCode;
    }

    private static async Task<JsonElement> DeliveryAsync(NotifyService service, Guid message, string state) =>
        (await Eventually.GetAsync(() => service.DeliveriesAsync(message), rows => rows.Count == 1 && rows[0].GetProperty("state").GetString() == state))[0];

    private static async Task<ConcurrentQueue<object>> ListenAsync(NotifyService service)
    {
        var events = new ConcurrentQueue<object>();
        var listener = service.Services.GetRequiredService<IBusControl>().ConnectReceiveEndpoint("test-receipts", endpoint =>
        {
            endpoint.Handler<PushDisplayed>(context => Note(context.Message));
            endpoint.Handler<PushClicked>(context => Note(context.Message));
        });
        await listener.Ready;
        return events;

        Task Note(object message)
        {
            events.Enqueue(message);
            return Task.CompletedTask;
        }
    }

    private static string[] SettingsOf(string section, VapidKeyPair pair) => [$"--Notify:{section}:PublicKey={pair.PublicKey}", $"--Notify:{section}:PrivateKey={pair.PrivateKey}"];

    private static byte[] Bytes(string token) => System.Buffers.Text.Base64Url.DecodeFromChars(token);
}
