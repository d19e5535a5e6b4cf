using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Sending;
using Notify.Store;
using Notify.Tests.Store;
using Notify.WebPush;

namespace Notify.Tests;

/// <summary>The whole way, from the event to the browser: the service as it ships, the in-memory bus, a store, the local push service.</summary>
public abstract class MainWayTests
{
    private TestDatabase? _database;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The store; SQLite if null.</summary>
    protected virtual Task<TestDatabase?> NewDatabaseAsync() => Task.FromResult<TestDatabase?>(null);

    private Task<NotifyService> StartAsync(params string[] settings) => StartAsync(null, null, settings);

    private async Task<NotifyService> StartAsync(DirectoryInfo? folder, Action<WebApplicationBuilder>? configure, params string[] settings)
    {
        _database ??= await NewDatabaseAsync();
        return await NotifyService.StartAsync(folder, configure, [.. _database?.Settings ?? [], .. settings]);
    }

    [Fact]
    public async Task Every_subscription_of_every_recipient_gets_the_message_once_and_the_author_does_not()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var phone = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var laptop = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var grace = (await service.SubscribeAsync(browser.Agent, "grace")).Subscription;
        var author = (await service.SubscribeAsync(browser.Agent, "author")).Subscription;
        var message = Message("Hello", "ada", "grace", "ada", "author", "nobody") with { AuthorId = "author" };

        await service.PostAsync(message);

        var rows = await service.SettledDeliveriesAsync(message.MessageId, 3);
        Assert.All(rows, row => Assert.Equal("accepted", row.GetProperty("state").GetString()));
        Assert.Equal(["ada", "ada", "grace"], rows.Select(row => row.GetProperty("userId").GetString()).Order());
        await Eventually.TrueAsync(() => browser.Received.Count >= 3);
        Assert.All([phone, laptop, grace], subscription => Assert.Equal(["Hello"], browser.TitlesOf(subscription)));
        Assert.Empty(browser.TitlesOf(author));
    }

    [Fact]
    public async Task The_same_message_published_twice_is_fanned_out_once()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var message = Message("once", "ada");
        var bus = service.Services.GetRequiredService<IBus>();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => bus.Publish(message, Cancellation)));
        await bus.Publish(Message("last", "ada"), Cancellation);

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Contains("last"));
        Assert.Equal(["once", "last"], browser.TitlesOf(subscription));
    }

    [Fact]
    public async Task Pushes_of_a_subscription_keep_their_order_while_earlier_ones_wait_for_retries()
    {
        await using var service = await StartAsync("--Notify:Sending:RetryDelay=00:00:00.05", "--Notify:Sending:MaxAttempts=100");
        await using var browser = await Browser.OpenAsync(service);
        var subscriptions = new List<LocalSubscription>();
        for (var i = 0; i < 10; i++)
        {
            subscriptions.Add((await service.SubscribeAsync(browser.Agent, "ada")).Subscription);
        }

        service.Push.Faults.Add(new PushFault { Status = 503, Probability = 0.3, Times = int.MaxValue });
        var titles = Enumerable.Range(0, 60).Select(i => $"{i:000}").ToList();
        var bus = service.Services.GetRequiredService<IBus>();
        foreach (var title in titles)
        {
            await bus.Publish(Message(title, "ada") with { ConversationId = "room" }, Cancellation);
        }

        await Eventually.TrueAsync(() => browser.Received.Count >= titles.Count * subscriptions.Count);
        Assert.All(subscriptions, subscription => Assert.Equal(titles, browser.TitlesOf(subscription)));
        await using var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation);
        await Eventually.GetAsync(() => db.WaitingLines.CountAsync(Cancellation), count => count == 0);
        Assert.False(await db.WaitingPushes.AnyAsync(Cancellation));
    }

    [Theory]
    [InlineData(200)]
    [InlineData(201)]
    [InlineData(202)]
    [InlineData(204)]
    public async Task What_was_accepted_is_not_sent_again(int status)
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        service.Push.Faults.Add(new PushFault { Status = status });
        var (message, next) = (Message("swallowed", "ada"), Message("next", "ada"));

        await service.PostAsync(message);
        await service.PostAsync(next);

        var row = Assert.Single(await service.SettledDeliveriesAsync(message.MessageId, 1));
        Assert.Equal(("accepted", status, 1), (row.GetProperty("state").GetString(), row.GetProperty("status").GetInt32(), row.GetProperty("attempts").GetInt32()));
        await service.SettledDeliveriesAsync(next.MessageId, 1);
        await service.SkipWaitsAsync();
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Any());
        Assert.Equal(["next"], browser.TitlesOf(subscription));
        Assert.Equal(2, service.Push.Status.AnswersByStatus.Values.Sum());
    }

    [Theory]
    [InlineData("a broken connection", "connection failed")]
    [InlineData("no answer in time", "timed out")]
    public async Task A_push_that_got_no_answer_is_tried_again(string what, string reason)
    {
        // So long that it waits until it is looked at.
        await using var service = await StartAsync("--Notify:Sending:Timeout=00:00:01", "--Notify:Sending:RetryDelay=00:30:00");
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        service.Push.Faults.Add(what == "no answer in time" ? new PushFault { Delay = TimeSpan.FromHours(1), Status = 503 } : new PushFault { Reset = true });
        var message = Message("again", "ada");

        await service.PostAsync(message);

        var waiting = Assert.Single(await Eventually.GetAsync(() => service.DeliveriesAsync(message.MessageId), rows => rows.Count == 1));
        Assert.Equal("retrying", waiting.GetProperty("state").GetString());
        Assert.StartsWith(reason, waiting.GetProperty("reason").GetString(), StringComparison.Ordinal);
        var row = Assert.Single(await service.SettledAfterWaitsAsync(message.MessageId, 1));
        Assert.Equal(("accepted", 2), (row.GetProperty("state").GetString(), row.GetProperty("attempts").GetInt32()));
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).SequenceEqual(["again"]));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_retry_after_is_waited_out_by_the_bus_and_the_delivery_says_so_meanwhile(bool isDate)
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var asked = DateTimeOffset.UtcNow;

        // A date has no fractions.
        service.Push.Faults.Add(new PushFault { Status = 429, RetryAfter = isDate ? $"{asked.AddSeconds(3601):R}" : "3600" });
        var (message, next) = (Message("later", "ada"), Message("next", "ada"));

        await service.PostAsync(message);
        await service.PostAsync(next);

        var behind = Assert.Single(await Eventually.GetAsync(() => service.DeliveriesAsync(next.MessageId), rows => rows.Count == 1));
        var waiting = Assert.Single(await Eventually.GetAsync(() => service.DeliveriesAsync(message.MessageId), rows => rows.Count == 1));
        Assert.Equal(("retrying", 429, 1), (waiting.GetProperty("state").GetString(), waiting.GetProperty("status").GetInt32(), waiting.GetProperty("attempts").GetInt32()));
        Assert.True(waiting.GetProperty("nextAttemptAt").GetDateTimeOffset() >= asked + TimeSpan.FromHours(1));
        Assert.Equal(("retrying", 0), (behind.GetProperty("state").GetString(), behind.GetProperty("attempts").GetInt32()));
        Assert.Empty(browser.TitlesOf(subscription));

        Assert.Equal(2, (await service.SettledAfterWaitsAsync(message.MessageId, 1))[0].GetProperty("attempts").GetInt32());
        Assert.Equal(1, (await service.SettledAfterWaitsAsync(next.MessageId, 1))[0].GetProperty("attempts").GetInt32());
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Count() == 2);
        Assert.Equal(["later", "next"], browser.TitlesOf(subscription));
    }

    [Theory]
    [InlineData(404)]
    [InlineData(410)]
    public async Task A_gone_subscription_is_deleted_and_its_waiting_pushes_are_reported(int status)
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var gone = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var live = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        service.Push.Faults.Add(new PushFault { Endpoint = gone.Endpoint, Status = 503, RetryAfter = "3600" });
        service.Push.Faults.Add(new PushFault { Endpoint = gone.Endpoint, Status = status });
        var (first, second) = (Message("first", "ada"), Message("second", "ada"));

        await service.PostAsync(first);
        await service.PostAsync(second);

        await Eventually.GetAsync(() => service.DeliveriesAsync(second.MessageId), rows => rows.Count == 2);
        foreach (var message in new[] { first, second })
        {
            var rows = await service.SettledAfterWaitsAsync(message.MessageId, 2);
            Assert.Equal(["accepted", "expired"], rows.Select(row => row.GetProperty("state").GetString()).Order());
        }

        using var http = service.ClientOf("ada");
        await Eventually.GetAsync(() => http.GetStringAsync("api/subscriptions", Cancellation), json => System.Text.Json.JsonDocument.Parse(json).RootElement.GetArrayLength() == 1);
        Assert.Equal(["first", "second"], browser.TitlesOf(live));
        Assert.Empty(browser.TitlesOf(gone));
    }

    [Theory]
    [InlineData(400, "failed", "rejected")]
    [InlineData(401, "failed", "unauthorised")]
    [InlineData(403, "failed", "unauthorised")]
    [InlineData(413, "failed", "too_large")]
    [InlineData(301, "failed", "rejected")]
    [InlineData(302, "failed", "rejected")]
    [InlineData(307, "failed", "rejected")]
    [InlineData(308, "failed", "rejected")]
    [InlineData(406, "failed", "attempts_exhausted")]
    [InlineData(429, "failed", "attempts_exhausted")]
    [InlineData(500, "failed", "attempts_exhausted")]
    [InlineData(502, "failed", "attempts_exhausted")]
    [InlineData(503, "failed", "attempts_exhausted")]
    [InlineData(504, "failed", "attempts_exhausted")]
    public async Task No_other_answer_deletes_a_subscription_and_the_next_push_goes_on(int status, string state, string reason)
    {
        await using var service = await StartAsync("--Notify:Sending:RetryDelay=00:00:00.01", "--Notify:Sending:MaxAttempts=3");
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        service.Push.Faults.Add(new PushFault { Status = status, Times = reason == "attempts_exhausted" ? 3 : 1 });
        var (failing, next) = (Message("failing", "ada"), Message("next", "ada"));

        await service.PostAsync(failing);
        await service.PostAsync(next);

        var row = (await service.SettledDeliveriesAsync(failing.MessageId, 1))[0];
        Assert.Equal(state, row.GetProperty("state").GetString());
        Assert.StartsWith(reason, row.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Equal(status, row.GetProperty("status").GetInt32());
        await service.SettledDeliveriesAsync(next.MessageId, 1);
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Any());
        Assert.Equal(["next"], browser.TitlesOf(subscription));
    }

    [Fact]
    public async Task A_Retry_After_keeps_the_next_push_back_though_its_own_was_given_up()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 429, RetryAfter = "900" });
        var (first, next) = (Message("first", "ada") with { TtlSeconds = 60 }, Message("next", "ada") with { TtlSeconds = 60 });

        await service.PostAsync(first);
        Assert.StartsWith("ttl_expired", (await service.SettledDeliveriesAsync(first.MessageId, 1))[0].GetProperty("reason").GetString(), StringComparison.Ordinal);
        await service.PostAsync(next);

        var row = (await service.SettledDeliveriesAsync(next.MessageId, 1))[0];
        Assert.Equal(("failed", 0), (row.GetProperty("state").GetString(), row.GetProperty("attempts").GetInt32()));
        Assert.Equal(1, service.Push.Status.AnswersByStatus.Values.Sum());
    }

    [Fact]
    public async Task A_mistaken_Retry_After_of_a_push_that_is_given_up_keeps_its_line_back_for_a_day_at_most()
    {
        await using var service = await StartAsync("--Notify:Sending:RetryDelay=00:05:00");
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 503 });
        service.Push.Faults.Add(new PushFault { Status = 429, RetryAfter = "9000000" });
        var (first, next) = (Message("first", "ada"), Message("next", "ada") with { TtlSeconds = (int)TimeSpan.FromDays(7).TotalSeconds });
        await service.PostAsync(first);
        await Eventually.GetAsync(() => service.DeliveriesAsync(first.MessageId), rows => rows.Count == 1);
        await service.PostAsync(next);
        await Eventually.GetAsync(() => service.DeliveriesAsync(next.MessageId), rows => rows.Count == 1);

        await service.SettledAfterWaitsAsync(first.MessageId, 1);
        await using var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation);
        var line = await Eventually.GetAsync(() => db.WaitingLines.AsNoTracking().SingleOrDefaultAsync(Cancellation), row => row?.HeadMessageId == next.MessageId);
        Assert.InRange(line!.NextAttemptAt, DateTimeOffset.UtcNow + TimeSpan.FromHours(23), DateTimeOffset.UtcNow + TimeSpan.FromHours(24));
    }

    [Fact]
    public async Task A_push_for_which_there_is_no_key_any_more_fails_without_an_attempt()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        using var unknown = VapidKeyPair.Generate();
        await using (var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation))
        {
            await db.Subscriptions.ExecuteUpdateAsync(set => set.SetProperty(row => row.ApplicationServerKey, unknown.PublicKey), Cancellation);
        }

        var message = Message("no key", "ada");
        await service.PostAsync(message);

        var row = (await service.SettledDeliveriesAsync(message.MessageId, 1))[0];
        Assert.Equal(("failed", 0), (row.GetProperty("state").GetString(), row.GetProperty("attempts").GetInt32()));
        Assert.StartsWith("unauthorised", row.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_push_that_would_outlive_its_ttl_is_reported_and_never_sent_late()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        service.Push.Faults.Add(new PushFault { Status = 503, RetryAfter = "11" });
        var stale = Message("stale", "ada") with { TtlSeconds = 10 };
        var next = Message("next", "ada");

        await service.PostAsync(stale);
        await service.PostAsync(next);

        var row = (await service.SettledDeliveriesAsync(stale.MessageId, 1))[0];
        Assert.StartsWith("ttl_expired", row.GetProperty("reason").GetString(), StringComparison.Ordinal);
        await service.SettledDeliveriesAsync(next.MessageId, 1);
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Any());
        Assert.Equal(["next"], browser.TitlesOf(subscription));
    }

    [Fact]
    public async Task A_ttl_of_zero_is_sent_at_once_as_now_or_never()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var message = Message("now", "ada") with { TtlSeconds = 0 };

        await service.PostAsync(message);

        Assert.Equal("accepted", (await service.SettledDeliveriesAsync(message.MessageId, 1))[0].GetProperty("state").GetString());
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Any());
    }

    [Fact]
    public async Task A_subscription_that_hangs_does_not_hold_up_the_others()
    {
        await using var service = await StartAsync("--Notify:Sending:Timeout=00:05:00");
        await using var browser = await Browser.OpenAsync(service);
        var hanging = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var other = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        service.Push.Faults.Add(new PushFault { Endpoint = hanging.Endpoint, Delay = TimeSpan.FromHours(1), Times = int.MaxValue });

        // More than are handled at once.
        var bus = service.Services.GetRequiredService<IBus>();
        for (var i = 0; i < 400; i++)
        {
            await bus.Publish(Message($"{i:000}", "ada"), Cancellation);
        }

        await Eventually.GetAsync(() => Task.FromResult(browser.TitlesOf(other).Count()), count => count == 400);
        Assert.Empty(browser.TitlesOf(hanging));

        // Cuts the connection, so that the service need not wait for it to stop.
        await service.Push.DisposeAsync();
    }

    [Fact]
    public async Task A_push_still_waiting_is_not_sent_once_its_subscription_has_moved_or_was_removed()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var moving = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var (removed, removedId) = await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Endpoint = moving.Endpoint, Status = 503, RetryAfter = "3600" });
        service.Push.Faults.Add(new PushFault { Endpoint = removed.Endpoint, Status = 503, RetryAfter = "3600" });
        var message = Message("for ada only", "ada");
        await service.PostAsync(message);
        await Eventually.GetAsync(() => service.DeliveriesAsync(message.MessageId), rows => rows.Count == 2);

        using (var grace = service.ClientOf("grace"))
        {
            Assert.False((await NotifyService.RegisterAsync(grace, moving.ToJson())).GetProperty("isNew").GetBoolean());
        }

        using (var ada = service.ClientOf("ada"))
        {
            Assert.True((await ada.DeleteAsync($"api/subscriptions/{removedId}", Cancellation)).IsSuccessStatusCode);
        }

        var rows = await service.SettledAfterWaitsAsync(message.MessageId, 2);
        Assert.All(rows, row => Assert.Equal("subscription_gone", row.GetProperty("reason").GetString()));
        await service.PostAsync(Message("for grace", "grace"));
        await Eventually.TrueAsync(() => browser.TitlesOf(moving).Any());
        Assert.Equal(["for grace"], browser.TitlesOf(moving));
        Assert.Empty(browser.TitlesOf(removed));
    }

    [Fact]
    public async Task What_waits_for_a_subscriptions_new_owner_is_not_dropped_with_what_waited_for_the_old_one()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        service.Push.Faults.Add(new PushFault { Status = 503, RetryAfter = "3600" });
        var (old, @new) = (Message("for ada", "ada"), Message("for grace", "grace"));
        await service.PostAsync(old);
        await Eventually.GetAsync(() => service.DeliveriesAsync(old.MessageId), rows => rows.Count == 1);
        using (var grace = service.ClientOf("grace"))
        {
            await NotifyService.RegisterAsync(grace, subscription.ToJson());
        }

        await service.PostAsync(@new);
        await Eventually.GetAsync(() => service.DeliveriesAsync(@new.MessageId), rows => rows.Count == 1);

        Assert.Equal("subscription_gone", (await service.SettledAfterWaitsAsync(old.MessageId, 1))[0].GetProperty("reason").GetString());
        Assert.Equal("accepted", (await service.SettledAfterWaitsAsync(@new.MessageId, 1))[0].GetProperty("state").GetString());
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Any());
        Assert.Equal(["for grace"], browser.TitlesOf(subscription));
    }

    [Fact]
    public async Task A_second_copy_of_a_push_that_waits_does_not_shorten_the_wait()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, id) = await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 429, RetryAfter = "3600" });
        var (message, next) = (Message("first", "ada"), Message("next", "ada"));
        await service.PostAsync(message);
        await Eventually.GetAsync(() => service.DeliveriesAsync(message.MessageId), rows => rows.Count == 1);

        var copy = new SendPush
        {
            SubscriptionId = id, UserId = "ada", MessageId = message.MessageId, Payload = Notify.Fanout.PushPayload.Render(message, publishedAt: null), Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.UtcNow.AddHours(2),
        };
        var sender = service.Services.GetRequiredService<Notify.Messaging.PushSender>();
        await sender.SendAsync(copy, null, Cancellation);
        await sender.SendAsync(copy, attemptsInLine: 0, Cancellation);
        await service.PostAsync(next);
        await Eventually.GetAsync(() => service.DeliveriesAsync(next.MessageId), rows => rows.Count == 1);

        Assert.Equal(1, service.Push.Status.AnswersByStatus.Values.Sum());
        await service.SettledAfterWaitsAsync(next.MessageId, 1);
        Assert.Equal(2, (await service.DeliveriesAsync(message.MessageId))[0].GetProperty("attempts").GetInt32());
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Count() == 2);
        Assert.Equal(3, service.Push.Status.AnswersByStatus.Values.Sum());
    }

    [Fact]
    public async Task A_waiting_push_that_the_bus_has_lost_is_sent_again_and_those_behind_it_follow()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, id) = await service.SubscribeAsync(browser.Agent, "ada");
        var (lost, next) = (Message("lost", "ada"), Message("next", "ada"));
        var push = new SendPush
        {
            SubscriptionId = id, UserId = "ada", MessageId = lost.MessageId, Payload = Notify.Fanout.PushPayload.Render(lost, publishedAt: null), Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.UtcNow.AddHours(2),
        };

        // In line, and nowhere on the bus.
        await service.Services.GetRequiredService<WaitingLines>().HoldAsync(push, null, attempts: 1, DateTimeOffset.UtcNow - TimeSpan.FromMinutes(2), CancellationToken.None);
        await service.PostAsync(next);
        await Eventually.GetAsync(() => service.DeliveriesAsync(next.MessageId), rows => rows.Count == 1);

        await service.Services.GetServices<IHostedService>().OfType<WaitingLinesWatch>().Single().SendOverdueAsync(Cancellation);

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Count() == 2);
        Assert.Equal(["lost", "next"], browser.TitlesOf(subscription));
    }

    [Fact]
    public async Task After_a_push_is_given_up_the_next_one_waits_as_long_as_the_push_service_asked()
    {
        await using var service = await StartAsync("--Notify:Sending:MaxAttempts=2");
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        service.Push.Faults.Add(new PushFault { Status = 429, RetryAfter = "3600" });
        service.Push.Faults.Add(new PushFault { Status = 429, RetryAfter = "10" });
        var (given, next) = (Message("given up", "ada"), Message("next", "ada"));
        await service.PostAsync(given);
        await service.PostAsync(next);
        await Eventually.GetAsync(() => service.DeliveriesAsync(next.MessageId), rows => rows.Count == 1);

        await service.SkipWaitsAsync();
        Assert.StartsWith("attempts_exhausted", (await service.SettledDeliveriesAsync(given.MessageId, 1))[0].GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Empty(browser.TitlesOf(subscription));

        // The bus is made to bring it back before that, and has to hold it back again.
        var (failed, accepted) = ((await service.DeliveriesAsync(given.MessageId))[0], (await service.SettledAfterWaitsAsync(next.MessageId, 1))[0]);
        Assert.Equal("accepted", accepted.GetProperty("state").GetString());
        Assert.True(accepted.GetProperty("updatedAt").GetDateTimeOffset() - failed.GetProperty("updatedAt").GetDateTimeOffset() > TimeSpan.FromSeconds(8));
    }

    [Fact]
    public async Task What_waits_when_the_process_ends_is_sent_in_order_by_the_next()
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        await using var push = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, Cancellation);
        string[] settings = [$"--Notify:LocalPushService:Url={push.Url.GetLeftPart(UriPartial.Authority)}"];
        await using var agent = await LocalUserAgent.ConnectAsync(push.Url, Cancellation);
        var messages = new[] { Message("first", "ada"), Message("second", "ada"), Message("third", "ada") };
        try
        {
            await using (var service = await StartAsync(folder, null, settings))
            {
                var subscription = (await service.SubscribeAsync(agent, "ada")).Subscription;
                push.Faults.Add(new PushFault { Endpoint = subscription.Endpoint, Status = 503, RetryAfter = "3600" });
                foreach (var message in messages)
                {
                    await service.PostAsync(message);
                    await Eventually.GetAsync(() => service.DeliveriesAsync(message.MessageId), rows => rows.Count == 1);
                }
            }

            await using (var service = await StartAsync(folder, null, settings))
            {
                foreach (var message in messages)
                {
                    Assert.Equal("accepted", (await service.SettledAfterWaitsAsync(message.MessageId, 1))[0].GetProperty("state").GetString());
                }
            }

            var titles = new List<string>();
            await foreach (var received in agent.Received.ReadAllAsync(Cancellation))
            {
                titles.Add(Browser.TitleOf(received));
                if (titles.Count == messages.Length)
                {
                    break;
                }
            }

            Assert.Equal(["first", "second", "third"], titles);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task A_push_at_which_the_send_stage_throws_is_told_of_too()
    {
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var (_, id) = await service.SubscribeAsync(browser.Agent, "ada");
        var message = Message("broken", "ada");

        // A payload over the bound, which fan-out never makes.
        await service.Services.GetRequiredService<Notify.Messaging.PushSender>().SendAsync(new SendPush
        {
            SubscriptionId = id, UserId = "ada", MessageId = message.MessageId, Payload = new string('x', 4_000), Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.UtcNow.AddHours(1),
        }, null, Cancellation);

        var row = (await service.SettledDeliveriesAsync(message.MessageId, 1))[0];
        Assert.StartsWith("internal_error", row.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_large_audience_is_cut_into_parts_and_everybody_in_it_is_reached()
    {
        await using var service = await StartAsync("--Notify:Fanout:RecipientsPerPart=7");
        await using var browser = await Browser.OpenAsync(service);
        var users = Enumerable.Range(0, 40).Select(i => $"user-{i}").ToArray();
        foreach (var user in users)
        {
            await service.SubscribeAsync(browser.Agent, user);
        }

        var message = Message("all hands", [.. users, .. Enumerable.Range(0, 1_000).Select(i => $"without-{i}")]);
        await service.PostAsync(message);

        var rows = await service.SettledDeliveriesAsync(message.MessageId, users.Length);
        Assert.Equal(users.Order(), rows.Select(row => row.GetProperty("userId").GetString()).Order());
    }

    [Theory]
    [InlineData("user-fanout-part")]
    [InlineData("user-fanout-broadcast")]
    public async Task A_part_of_a_large_audience_that_comes_twice_is_fanned_out_once(string queue)
    {
        await using var service = await StartAsync("--Notify:Fanout:RecipientsPerPart=1");
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, _) = await service.SubscribeAsync(browser.Agent, "ada");
        var part = new Notify.Fanout.UserFanoutPart
        {
            MessageId = Guid.NewGuid(), OrderKey = "room", Offset = 1, RecipientIds = ["ada"], Payload = """{"notification":{"title":"once"}}""", Topic = Notify.WebPush.PushTopic.From("tag"), Urgency = "normal", TtlSeconds = 60,
            ExpiresAt = DateTimeOffset.UtcNow.AddMinutes(1),
        };
        var endpoint = await service.Services.GetRequiredService<IBus>().GetSendEndpoint(new Uri($"queue:{queue}"));

        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => endpoint.Send(part, Cancellation)));
        await endpoint.Send(part with { MessageId = Guid.NewGuid(), Payload = """{"notification":{"title":"last"}}""" }, Cancellation);

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Contains("last"));
        Assert.Equal(["once", "last"], browser.TitlesOf(subscription));
    }

    [Fact]
    public async Task A_faulty_event_goes_to_the_error_queue_with_its_reason_and_blocks_nobody()
    {
        var faults = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var service = await StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var bus = service.Services.GetRequiredService<IBusControl>();
        var handle = bus.ConnectReceiveEndpoint("faults", endpoint => endpoint.Handler<Fault<MessagePosted>>(context =>
        {
            faults.Enqueue(context.Message.Exceptions[0].Message);
            return Task.CompletedTask;
        }));
        await handle.Ready;

        await bus.Publish(Message("", "ada") with { RecipientIds = [] }, Cancellation);
        await bus.Publish(Message("good", "ada"), Cancellation);

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Any() && !faults.IsEmpty);
        Assert.Equal(["good"], browser.TitlesOf(subscription));
        Assert.Contains("recipientIds", Assert.Single(faults), StringComparison.Ordinal);
    }

    private static MessagePosted Message(string title, params string[] recipients) => new() { MessageId = Guid.CreateVersion7(), RecipientIds = recipients, Title = title };
}
