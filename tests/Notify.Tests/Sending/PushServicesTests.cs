using System.Net.Http.Json;
using System.Text.Json;
using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Sending;

namespace Notify.Tests.Sending;

/// <summary>Two push services, one of which does not do what it should.</summary>
public sealed class PushServicesTests : IAsyncLifetime
{
    private const int Many = 60;

    private LocalPushServer _other = null!;
    private LocalUserAgent _otherAgent = null!;
    private NotifyService _service = null!;
    private Browser _browser = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _other = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, Cancellation);
        _otherAgent = await LocalUserAgent.ConnectAsync(_other.Url, Cancellation);
        _service = await NotifyService.StartAsync(
            $"--Notify:PushServices:Allowed:0={_other.Url.GetLeftPart(UriPartial.Authority)}", "--Notify:Sending:Concurrency=16", "--Notify:Sending:Timeout=00:00:30", "--Notify:Sending:RetryDelay=00:00:00.1");
        _browser = await Browser.OpenAsync(_service);
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        await _otherAgent.DisposeAsync();
        await _other.DisposeAsync();
        await _service.DisposeAsync();
    }

    [Fact]
    public async Task One_that_is_down_is_asked_now_and_then_and_what_waits_for_it_spends_no_attempt()
    {
        await SubscribeManyAsync();
        _other.Faults.Add(new PushFault { Status = 503, Times = int.MaxValue });
        var message = Message();

        await _service.PostAsync(message);

        // All of them wait, most of them for the push service rather than for their own next attempt.
        var waiting = await Eventually.GetAsync(() => _service.DeliveriesAsync(message.MessageId), rows => rows.Count == Many && rows.All(row => Text(row, "state") == "retrying"));
        Assert.Contains(waiting, row => row.GetProperty("attempts").GetInt32() == 0 && Text(row, "reason") == "the push service is down");

        // Whoever comes back before the push service does finds it still down.
        await _service.SkipWaitsAsync();
        await Eventually.GetAsync(() => _service.DeliveriesAsync(message.MessageId), rows => rows.Count(row => Text(row, "reason") == "the push service is down") > Many / 2);
        Assert.InRange(_other.Status.AnswersByStatus.Values.Sum(), PushServiceGate.MinimumThroughput, Many);

        _other.Faults.Clear();
        var rows = await _service.SettledAfterWaitsAsync(message.MessageId, Many);
        Assert.All(rows, row => Assert.Equal("accepted", Text(row, "state")));
    }

    [Fact]
    public async Task One_that_never_answers_does_not_hold_up_another()
    {
        await SubscribeManyAsync();
        var subscription = (await _service.SubscribeAsync(_browser.Agent, "ada")).Subscription;
        _other.Faults.Add(new PushFault { Delay = TimeSpan.FromHours(1), Times = int.MaxValue });
        var message = Message();

        // Far more than it has places, and than are handled at once.
        await _service.PostAsync(message);
        await _service.PostAsync(Message());
        await _service.PostAsync(new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "Hello" });

        await Eventually.TrueAsync(() => _browser.TitlesOf(subscription).Any());
        var rows = await Eventually.GetAsync(() => _service.DeliveriesAsync(message.MessageId), found => found.Count >= Many - 16);
        Assert.All(rows, row => Assert.Equal(0, row.GetProperty("attempts").GetInt32()));

        // Cuts the connections, so that the service need not wait for them to stop.
        await _other.DisposeAsync();
    }

    [Fact]
    public async Task One_that_takes_its_time_does_not_hold_up_another_for_as_long_as_it_has_a_backlog()
    {
        const int backlog = 200;
        await SubscribeManyAsync(backlog);
        var subscription = (await _service.SubscribeAsync(_browser.Agent, "ada")).Subscription;
        _other.Faults.Add(new PushFault { Delay = TimeSpan.FromSeconds(1), Times = int.MaxValue });

        await _service.PostAsync(Message(backlog));
        await _service.PostAsync(new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "Hello" });

        await Eventually.TrueAsync(() => _browser.TitlesOf(subscription).Any());
        Assert.InRange(_other.Status.Accepted, 1, backlog / 2);

        // It has its pushes too, at its own pace.
        _other.Faults.Clear();
        await Eventually.GetAsync(
            async () =>
            {
                await _service.SkipWaitsAsync();
                return _other.Status.Accepted;
            },
            accepted => accepted == backlog);
    }

    [Fact]
    public async Task A_subscription_whose_end_has_passed_is_expired_without_a_post()
    {
        var key = await PublicKeyAsync();
        var subscription = await _otherAgent.SubscribeAsync(key, Cancellation);
        var json = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(subscription.ToJson())!;
        json["expirationTime"] = JsonSerializer.SerializeToElement(DateTimeOffset.UtcNow.AddSeconds(-1).ToUnixTimeMilliseconds());
        using var http = _service.ClientOf("ada");
        await NotifyService.RegisterAsync(http, JsonSerializer.Serialize(json));
        var message = Message() with { RecipientIds = ["ada"] };

        await _service.PostAsync(message);

        Assert.Equal("expired", Text(Assert.Single(await _service.SettledDeliveriesAsync(message.MessageId, 1)), "state"));
        await Eventually.GetAsync(() => http.GetFromJsonAsync<List<JsonElement>>("api/subscriptions", Cancellation), rows => rows!.Count == 0);
        Assert.Empty(_other.Status.AnswersByStatus);
    }

    private static MessagePosted Message(int users = Many) => new() { MessageId = Guid.NewGuid(), RecipientIds = [.. Enumerable.Range(0, users).Select(user => $"user-{user}")], Title = "Hello" };

    private static string? Text(JsonElement row, string name) => row.GetProperty(name).GetString();

    private async Task SubscribeManyAsync(int users = Many)
    {
        for (var user = 0; user < users; user++)
        {
            await _service.SubscribeAsync(_otherAgent, $"user-{user}");
        }
    }

    private async Task<string> PublicKeyAsync()
    {
        using var http = _service.ClientOf("ada");
        return (await http.GetFromJsonAsync<JsonElement>("api/vapid-public-key", Cancellation)).GetProperty("publicKey").GetString()!;
    }
}
