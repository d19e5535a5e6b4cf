using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.LocalPushService;
using Notify.Sending;
using Notify.Store;
using Notify.Store.Encryption;
using Notify.Subscriptions;
using Notify.Tests.Store;
using Notify.WebPush;

namespace Notify.Tests.Subscriptions;

/// <summary>Several who change the same subscriptions at once, and pushes that are under way meanwhile; run on each store.</summary>
public abstract class SubscriptionRegistryTests : IAsyncLifetime
{
    private const int MaxPerUser = 5;

    private readonly ConcurrentQueue<(Guid Id, string UserId, bool IsRegistered)> _events = new();
    private readonly ConcurrentQueue<Guid> _expired = new();
    private NotifyService _service = null!;
    private Browser _browser = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The database; SQLite if null.</summary>
    protected virtual Task<TestDatabase?> NewDatabaseAsync() => Task.FromResult<TestDatabase?>(null);

    public async ValueTask InitializeAsync()
    {
        _service = await NotifyService.StartAsync([.. (await NewDatabaseAsync())?.Settings ?? [], $"--Notify:Subscriptions:MaxPerUser={MaxPerUser}"]);
        _browser = await Browser.OpenAsync(_service);
        var events = _service.Services.GetRequiredService<IBusControl>().ConnectReceiveEndpoint("test-events", endpoint =>
        {
            endpoint.ConcurrentMessageLimit = 1;
            endpoint.Handler<SubscriptionRegistered>(context => Note(context.Message.SubscriptionId, context.Message.UserId, true));
            endpoint.Handler<SubscriptionExpired>(context =>
            {
                _expired.Enqueue(context.Message.SubscriptionId);
                return Task.CompletedTask;
            });
            endpoint.Handler<SubscriptionRemoved>(context => Note(context.Message.SubscriptionId, context.Message.UserId, false));
        });
        await events.Ready;
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _browser.DisposeAsync();
        await _service.DisposeAsync();
    }

    [Fact]
    public async Task An_endpoint_that_many_users_register_at_once_is_the_last_ones_and_the_events_tell_the_way_there()
    {
        var json = await NewSubscriptionAsync();

        var ids = await Task.WhenAll(Enumerable.Range(0, 20).Select(user => RegisterAsync($"user-{user}", json)));

        var id = Assert.Single(ids.Distinct());
        var row = Assert.Single(await RowsAsync());
        await Eventually.TrueAsync(() => _events.Count == 39);
        string? owner = null;
        foreach (var happened in _events)
        {
            Assert.Equal(id, happened.Id);
            Assert.Equal(happened.IsRegistered ? null : owner, happened.IsRegistered ? owner : happened.UserId);
            owner = happened.IsRegistered ? happened.UserId : null;
        }

        Assert.Equal(row.UserId, owner);
    }

    [Fact]
    public async Task A_subscription_at_which_its_push_service_fails_for_months_with_nothing_accepted_is_expired()
    {
        var id = await RegisterAsync("ada", await NewSubscriptionAsync());
        var start = DateTimeOffset.UtcNow;

        await NoteAsync(id, start, PushFailureReasons.AttemptsExhausted);
        await NoteAsync(id, start.AddDays(89), $"{PushFailureReasons.Rejected}: BadTtl");
        Assert.Empty(_expired);

        await NoteAsync(id, start.AddDays(91), PushFailureReasons.AttemptsExhausted);
        await Eventually.TrueAsync(() => _expired.Contains(id!.Value));
        await Eventually.GetAsync(RowsAsync, rows => rows.Count == 0);
    }

    [Theory]
    [InlineData(PushFailureReasons.Unauthorised)]
    [InlineData(PushFailureReasons.TtlExpired)]
    [InlineData(PushFailureReasons.TooLarge)]
    [InlineData(PushFailureReasons.Superseded)]
    [InlineData(PushFailureReasons.Rejected, null)]
    public async Task What_does_not_tell_of_the_subscription_never_expires_it(string reason, int? status = 503)
    {
        var id = await RegisterAsync("ada", await NewSubscriptionAsync());

        await NoteAsync(id, DateTimeOffset.UtcNow, reason, status);
        await NoteAsync(id, DateTimeOffset.UtcNow.AddYears(10), reason, status);

        Assert.Null(Assert.Single(await RowsAsync()).FailingSince);
        Assert.Empty(_expired);
    }

    [Fact]
    public async Task An_acceptance_or_its_browser_registering_again_makes_a_failing_subscription_young()
    {
        var json = await NewSubscriptionAsync();
        var id = await RegisterAsync("ada", json);
        var start = DateTimeOffset.UtcNow;

        await NoteAsync(id, start, PushFailureReasons.AttemptsExhausted);
        await using (var scope = _service.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<NotifyDbContext>().WriteOutcomesAsync(
                [], [new() { MessageId = Guid.NewGuid(), SubscriptionId = id!.Value, UserId = "ada", State = DeliveryState.Accepted, UpdatedAt = start.AddDays(1) }], Cancellation);
        }

        await NoteAsync(id, start.AddDays(91), PushFailureReasons.AttemptsExhausted);
        await RegisterAsync("ada", json);
        await NoteAsync(id, start.AddDays(182), PushFailureReasons.AttemptsExhausted);
        Assert.Empty(_expired);

        await NoteAsync(id, start.AddDays(273), PushFailureReasons.AttemptsExhausted);
        await Eventually.TrueAsync(() => _expired.Contains(id!.Value));
    }

    [Fact]
    public async Task An_endpoint_that_one_user_registers_many_times_at_once_is_one_row_and_one_event()
    {
        var json = await NewSubscriptionAsync();

        var ids = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => RegisterAsync("ada", json)));

        Assert.Single(ids.Distinct());
        Assert.Single(await RowsAsync());
        var other = await RegisterAsync("grace", await NewSubscriptionAsync());
        await Eventually.TrueAsync(() => _events.Any(happened => happened.Id == other));
        Assert.Equal((ids[0], "ada", true), Assert.Single(_events, happened => happened.Id == ids[0]));
    }

    [Fact]
    public async Task A_user_gets_as_many_as_allowed_however_many_are_registered_at_once()
    {
        var subscriptions = new List<string>();
        for (var i = 0; i < 4 * MaxPerUser; i++)
        {
            subscriptions.Add(await NewSubscriptionAsync());
        }

        var ids = await Task.WhenAll(subscriptions.Select(json => RegisterAsync("ada", json)));

        Assert.Equal(MaxPerUser, ids.Count(id => id is not null));
        Assert.Equal(MaxPerUser, (await RowsAsync()).Count);
    }

    [Fact]
    public async Task Whoever_has_more_than_a_limit_that_was_lowered_may_refresh_and_replace_them_but_not_add_to_them()
    {
        var subscriptions = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => NewSubscriptionAsync()));
        var ids = new List<Guid?>();
        foreach (var json in subscriptions)
        {
            ids.Add(await RegisterAsync("ada", json));
        }

        await using var scope = _service.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<IOptions<SubscriptionsOptions>>().Value.MaxPerUser = 2;

        Assert.Null(await RegisterAsync("ada", await NewSubscriptionAsync()));
        Assert.Equal(ids[2], await RegisterAsync("ada", subscriptions[2]));
        var replaced = PushSubscription.Parse(Encoding.UTF8.GetBytes(subscriptions[1])).Endpoint.AbsoluteUri;
        var successor = await scope.ServiceProvider.GetRequiredService<SubscriptionRegistry>().RegisterAsync("ada", TestStore.NewPushSubscription(), null, null, replaced, Cancellation);
        Assert.True(successor?.IsNew);
        Assert.Equal(new[] { ids[0]!.Value, ids[2]!.Value, successor!.Value.Id }.Order(), (await RowsAsync()).Select(row => row.Id).Order());
    }

    [Fact]
    public async Task Registered_moved_and_removed_at_once_rows_and_events_agree()
    {
        var subscriptions = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => NewSubscriptionAsync()));

        await Parallel.ForAsync(0, 150, new ParallelOptions { MaxDegreeOfParallelism = 12, CancellationToken = Cancellation }, async (i, _) =>
        {
            var (json, user) = (subscriptions[Random.Shared.Next(subscriptions.Length)], $"user-{Random.Shared.Next(3)}");
            if (i % 3 == 0)
            {
                using var http = _service.ClientOf(user);
                var endpoint = JsonDocument.Parse(json).RootElement.GetProperty("endpoint").GetString()!;
                using var response = await http.DeleteAsync($"api/subscriptions?endpoint={Uri.EscapeDataString(endpoint)}", Cancellation);
                Assert.Contains(response.StatusCode, new[] { HttpStatusCode.NoContent, HttpStatusCode.NotFound });
            }
            else
            {
                await RegisterAsync(user, json);
            }
        });

        var rows = (await RowsAsync()).Select(row => (row.Id, row.UserId)).Order().ToList();
        await Eventually.GetAsync(() => Task.FromResult(OwnersByEvents()), owners => owners.SequenceEqual(rows));
    }

    [Fact]
    public async Task A_subscription_that_is_said_twice_to_have_expired_is_deleted_once()
    {
        var id = (await RegisterAsync("ada", await NewSubscriptionAsync()))!.Value;
        var bus = _service.Services.GetRequiredService<IBus>();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => bus.Publish(new SubscriptionExpired(id, "ada"), Cancellation)));

        await Eventually.GetAsync(RowsAsync, rows => rows.Count == 0);
        var other = await RegisterAsync("grace", await NewSubscriptionAsync());
        await Eventually.TrueAsync(() => _events.Any(happened => happened.Id == other) && _events.Any(happened => !happened.IsRegistered));
        Assert.Equal((id, "ada", false), Assert.Single(_events, happened => !happened.IsRegistered));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task A_subscription_that_has_come_back_since_it_was_said_to_have_expired_stays(bool wasFailing, bool isGoneAgain)
    {
        var json = await NewSubscriptionAsync();
        var id = (await RegisterAsync("ada", json))!.Value;
        var bus = _service.Services.GetRequiredService<IBus>();
        var revision = (await RowsAsync()).Single().Revision;
        if (wasFailing)
        {
            await using var db = await _service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation);
            await db.Subscriptions.ExecuteUpdateAsync(set => set.SetProperty(row => row.FailingSince, DateTimeOffset.UtcNow), Cancellation);
        }
        else
        {
            json = json.Replace("\"expirationTime\":null", "\"expirationTime\":4102444800000", StringComparison.Ordinal);
        }

        await RegisterAsync("ada", json);
        var row = Assert.Single(await RowsAsync());
        await bus.Publish(new SubscriptionExpired(id, "ada") { Revision = isGoneAgain ? row.Revision : revision }, Cancellation);

        if (isGoneAgain)
        {
            await Eventually.GetAsync(RowsAsync, rows => rows.Count == 0);
            return;
        }

        var other = (await RegisterAsync("grace", await NewSubscriptionAsync()))!.Value;
        await bus.Publish(new SubscriptionExpired(other, "grace"), Cancellation);
        await Eventually.GetAsync(RowsAsync, rows => rows.TrueForAll(known => known.Id != other));
        Assert.Equal(id, Assert.Single(await RowsAsync()).Id);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_push_that_was_queued_does_not_go_to_a_subscription_that_another_worker_has_removed_or_moved(bool isMoved)
    {
        var (subscription, id) = await _service.SubscribeAsync(_browser.Agent, "ada");
        var messages = Enumerable.Range(0, 3).Select(i => new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = $"{i}" }).ToList();

        // The first waits for its retry, and so the others behind it.
        _service.Push.Faults.Add(new PushFault { Endpoint = subscription.Endpoint, Status = 503, RetryAfter = "3600" });
        foreach (var message in messages)
        {
            await _service.PostAsync(message);
            await Eventually.GetAsync(() => _service.DeliveriesAsync(message.MessageId), rows => rows.Count == 1);
        }

        // As another worker would whose event is still on its way: nothing tells the cache here.
        await using (var db = await OpenAsync())
        {
            var row = await db.Subscriptions.SingleAsync(known => known.Id == id, Cancellation);
            _ = isMoved ? row.Refresh("grace", row.P256dh, row.Auth, row.ApplicationServerKey, null, SecretCipher.None) : db.Remove(row) is not null;
            await db.SaveChangesAsync(Cancellation);
        }

        foreach (var message in messages)
        {
            var rows = await _service.SettledAfterWaitsAsync(message.MessageId, 1);
            Assert.Equal("subscription_gone", rows[0].GetProperty("reason").GetString());
        }

        Assert.Empty(_browser.TitlesOf(subscription));
    }

    [Fact]
    public async Task Keys_that_another_worker_was_given_are_used_at_once()
    {
        var (subscription, id) = await _service.SubscribeAsync(_browser.Agent, "ada");
        var stale = TestStore.NewPushSubscription();
        string fresh;
        await using (var db = await OpenAsync())
        {
            var row = await db.Subscriptions.SingleAsync(known => known.Id == id, Cancellation);
            fresh = row.P256dh;
            row.Refresh("ada", stale.P256dh, row.Auth, row.ApplicationServerKey, null, SecretCipher.None);
            await db.SaveChangesAsync(Cancellation);
        }

        // Undecipherable, and in the cache from now on.
        await _service.PostAsync(new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "0" });
        await Eventually.TrueAsync(() => _browser.Received.Count == 1);
        await using (var db = await OpenAsync())
        {
            var row = await db.Subscriptions.SingleAsync(known => known.Id == id, Cancellation);
            row.Refresh("ada", fresh, row.Auth, row.ApplicationServerKey, null, SecretCipher.None);
            await db.SaveChangesAsync(Cancellation);
        }

        await _service.PostAsync(new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "1" });

        await Eventually.TrueAsync(() => _browser.Received.Count == 2);
        Assert.Equal([true, false], _browser.Received.Select(received => received.Error is not null));
    }

    [Fact]
    public async Task A_subscription_may_be_removed_while_a_push_to_it_is_under_way()
    {
        var (subscription, id) = await _service.SubscribeAsync(_browser.Agent, "ada");
        _service.Push.Faults.Add(new PushFault { Endpoint = subscription.Endpoint, Delay = TimeSpan.FromSeconds(2) });
        var message = new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "0" };
        await _service.PostAsync(message);
        await Eventually.TrueAsync(() => _service.Push.Faults.Active.Count == 0);

        using var http = _service.ClientOf("ada");
        using var response = await http.DeleteAsync($"api/subscriptions/{id}", Cancellation);

        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        var row = Assert.Single(await _service.SettledDeliveriesAsync(message.MessageId, 1));
        Assert.Equal("accepted", row.GetProperty("state").GetString());
        var (other, otherId) = await _service.SubscribeAsync(_browser.Agent, "ada");
        var next = new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "1" };
        await _service.PostAsync(next);
        Assert.Equal(otherId, Assert.Single(await _service.SettledDeliveriesAsync(next.MessageId, 1)).GetProperty("subscriptionId").GetGuid());
        await Eventually.TrueAsync(() => _browser.TitlesOf(other).Contains("1"));
        Assert.Equal(["0"], _browser.TitlesOf(subscription));
    }

    [Theory]
    [InlineData(254, 256)]
    [InlineData(255, 255)]
    [InlineData(256, 256)]
    public async Task A_long_user_agent_is_cut_where_no_character_is_split(int letters, int kept)
    {
        // The bird takes two UTF-16 code units.
        var userAgent = new string('a', letters) + "\U0001F985" + "bbb";
        await using (var scope = _service.Services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<SubscriptionRegistry>().RegisterAsync(
                "ada", TestStore.NewPushSubscription(), _service.Services.GetRequiredService<VapidKeyRing>().Current.PublicKey, userAgent, null, Cancellation);
        }

        Assert.Equal(userAgent[..kept], Assert.Single(await RowsAsync()).UserAgent);
    }

    private async Task NoteAsync(Guid? id, DateTimeOffset at, string reason, int? status = 503)
    {
        await using var scope = _service.Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<SubscriptionAgeing>().NoteAsync(
            [new PushFailed(id!.Value, "ada", Guid.NewGuid(), 5, status, reason, at)], _service.Services.GetRequiredService<IBus>(), Cancellation);
    }

    private Task Note(Guid id, string userId, bool isRegistered)
    {
        _events.Enqueue((id, userId, isRegistered));
        return Task.CompletedTask;
    }

    private List<(Guid Id, string UserId)> OwnersByEvents()
    {
        var owners = new Dictionary<Guid, string>();
        foreach (var (id, userId, isRegistered) in _events)
        {
            if (isRegistered)
            {
                owners[id] = userId;
            }
            else if (owners.GetValueOrDefault(id) == userId)
            {
                owners.Remove(id);
            }
        }

        return [.. owners.Select(pair => (pair.Key, pair.Value)).Order()];
    }

    private async Task<string> NewSubscriptionAsync()
    {
        var subscription = await _browser.Agent.SubscribeAsync(null, Cancellation);
        return subscription.ToJson();
    }

    [Fact]
    public async Task A_subscription_belongs_to_the_key_that_its_browser_names_even_where_this_worker_has_another_one_in_front()
    {
        using var next = VapidKeyPair.Generate();
        await using var service = await NotifyService.StartAsync($"--Notify:Vapid:Previous:0:PublicKey={next.PublicKey}", $"--Notify:Vapid:Previous:0:PrivateKey={next.PrivateKey}");
        await using var browser = await Browser.OpenAsync(service);
        var subscription = await browser.Agent.SubscribeAsync(next.PublicKey, Cancellation);
        using var http = service.ClientOf("ada");

        // As a page that does not name it would register it: with the wrong one. The next visit mends it.
        await NotifyService.RegisterAsync(http, subscription.ToJson());
        await NotifyService.RegisterAsync(http, subscription.ToJson()[..^1] + $$""","applicationServerKey":"{{next.PublicKey}}"}""");

        // One that does not name it again changes nothing of that.
        await NotifyService.RegisterAsync(http, subscription.ToJson());
        var id = Guid.NewGuid();
        await service.PostAsync(new { messageId = id, recipientIds = new[] { "ada" }, title = "signed with the right key" });

        Assert.Equal("accepted", Assert.Single(await service.SettledDeliveriesAsync(id, 1)).GetProperty("state").GetString());
    }

    [Fact]
    public async Task A_key_that_the_service_does_not_have_is_refused()
    {
        using var stranger = VapidKeyPair.Generate();
        using var http = _service.ClientOf("ada");
        using var content = new StringContent((await NewSubscriptionAsync())[..^1] + $$""","applicationServerKey":"{{stranger.PublicKey}}"}""", System.Text.Encoding.UTF8, "application/json");

        using var response = await http.PostAsync("api/subscriptions", content, Cancellation);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("invalid_keys", (await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("code").GetString());
        Assert.Empty(await RowsAsync());
    }

    private async Task<Guid?> RegisterAsync(string userId, string json)
    {
        using var http = _service.ClientOf(userId);
        using var content = new StringContent(json, System.Text.Encoding.UTF8, "application/json");
        using var response = await http.PostAsync("api/subscriptions", content, Cancellation);
        if (response.StatusCode == HttpStatusCode.UnprocessableEntity)
        {
            return null;
        }

        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Cancellation));
        return (await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("id").GetGuid();
    }

    private async Task<NotifyDbContext> OpenAsync() => await _service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation);

    private async Task<List<Notify.Subscriptions.Subscription>> RowsAsync()
    {
        await using var db = await OpenAsync();
        return await db.Subscriptions.AsNoTracking().ToListAsync(Cancellation);
    }
}
