using System.Globalization;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.Fanout;
using Notify.IntegrationTests.Brokers;
using Notify.LocalPushService;
using Notify.Messaging;
using Notify.Messaging.RabbitMq;
using Notify.Tests;
using Notify.WebPush;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>A lane has many pushes in flight, one of each subscription.</summary>
[Collection("RabbitMQ")]
public sealed class LaneTests(SharedBrokers brokers, ITestOutputHelper output)
{
    private static readonly string[] OneLane = ["--Notify:Sending:Partitions=1", "--Notify:Fanout:Partitions=1", "--Notify:Sending:Timeout=00:05:00"];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Subscriptions_that_hang_do_not_hold_up_others_of_their_lane()
    {
        await using var service = await RabbitMqService.StartAsync(await brokers.NewVirtualHostAsync(RabbitMqVersion.V4), [.. OneLane, "--Notify:Sending:Concurrency=32"]);
        await using var browser = await Browser.OpenAsync(service);
        var other = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        for (var i = 0; i < 31; i++)
        {
            var hanging = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
            service.Push.Faults.Add(new PushFault { Endpoint = hanging.Endpoint, Delay = TimeSpan.FromHours(1), Times = int.MaxValue });
        }

        // The second of each that hangs waits for the first and takes no place among those in flight.
        await PublishAsync(service, ["ada"], 2);

        await Eventually.TrueAsync(() => browser.TitlesOf(other).Count() == 2);
        Assert.Equal(["0", "1"], browser.TitlesOf(other));

        // Cuts the connections, so that the service need not wait for them to stop.
        await service.Push.DisposeAsync();
    }

    [Fact]
    public async Task What_is_no_broadcast_overtakes_the_broadcasts_of_its_lane()
    {
        const int users = 100;
        await using var service = await RabbitMqService.StartAsync(
            await brokers.NewVirtualHostAsync(RabbitMqVersion.V4), [.. OneLane, "--Notify:Sending:Concurrency=1", $"--Notify:Fanout:RecipientsPerPart={users / 2}"]);
        await using var browser = await Browser.OpenAsync(service);
        for (var user = 0; user < users; user++)
        {
            await service.SubscribeAsync(browser.Agent, $"user-{user}");
        }

        await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Delay = TimeSpan.FromMilliseconds(50), Times = int.MaxValue });
        var bus = service.Services.GetRequiredService<IBus>();
        await bus.Publish(new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = [.. Enumerable.Range(0, users).Select(user => $"user-{user}")], Title = "all hands" }, Cancellation);
        var depths = service.Services.GetRequiredService<QueueDepths>();
        await Eventually.GetAsync(() => depths.FindAsync([Lanes.QueueOf(Queues.SubscriptionSend, 0)], Cancellation), found => found.Single().MessageCount > users / 2);

        await PublishAsync(service, ["ada"], 2);

        await Eventually.TrueAsync(() => browser.Received.Count == users + 2);
        var titles = browser.Received.Select(Browser.TitleOf).ToList();
        Assert.Equal(["0", "1"], titles.Where(title => title != "all hands"));
        Assert.Contains("all hands", titles.Skip(titles.IndexOf("1") + (users / 4)));
    }

    [Fact]
    public async Task A_part_of_a_broadcast_that_comes_twice_is_fanned_out_once()
    {
        await using var service = await RabbitMqService.StartAsync(await brokers.NewVirtualHostAsync(RabbitMqVersion.V4), OneLane);
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, _) = await service.SubscribeAsync(browser.Agent, "ada");
        var part = new UserFanoutPart
        {
            MessageId = Guid.NewGuid(), OrderKey = "message/1", Offset = 500, IsBroadcast = true, RecipientIds = ["ada"], Payload = """{"notification":{"title":"once"}}""", Topic = PushTopic.From("tag"),
            Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.UtcNow.AddMinutes(1),
        };
        var endpoint = await service.Services.GetRequiredService<IBus>().GetSendEndpoint(new Uri("exchange:user-fanout-broadcast-0"));

        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => endpoint.Send(part, Cancellation)));
        await endpoint.Send(part with { MessageId = Guid.NewGuid(), Payload = """{"notification":{"title":"last"}}""" }, Cancellation);

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Contains("last"));
        Assert.Equal(["once", "last"], browser.TitlesOf(subscription));
    }

    /// <summary>The tables of docs/evidence.md, by hand: pushes a second.</summary>
    [Fact(Explicit = true)]
    public async Task Throughput_of_the_whole_way()
    {
        for (var round = 1; round <= 3; round++)
        {
            foreach (var version in new RabbitMqVersion?[] { null, RabbitMqVersion.V3, RabbitMqVersion.V4 })
            {
                await using var service = version is { } broker ? await RabbitMqService.StartAsync(await brokers.NewVirtualHostAsync(broker)) : await NotifyService.StartAsync();
                var rate = await MeasureAsync(service, TimeSpan.Zero, events: 40);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| round {round} | {version?.ToString() ?? "in memory"} | {rate:0} |"));
            }
        }

        foreach (var (latency, inFlight) in from latency in new[] { 0, 50, 200 } from inFlight in new[] { 32, 256 } select (latency, inFlight))
        {
            await using var service = await RabbitMqService.StartAsync(await brokers.NewVirtualHostAsync(RabbitMqVersion.V4), [.. OneLane, $"--Notify:Sending:Concurrency={inFlight}"]);
            var rate = await MeasureAsync(service, TimeSpan.FromMilliseconds(latency), events: 20);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| one lane | {latency} ms | {inFlight} in flight | {rate:0} |"));
        }
    }

    private static async Task<double> MeasureAsync(NotifyService service, TimeSpan latency, int events)
    {
        await using var browser = await Browser.OpenAsync(service);
        browser.Agent.Decrypts = false;
        var users = Enumerable.Range(0, 100).Select(user => $"user-{user}").ToArray();
        for (var i = 0; i < 5 * users.Length; i++)
        {
            await service.SubscribeAsync(browser.Agent, users[i % users.Length]);
        }

        // Once for warmth.
        await PublishAsync(service, users, 4);
        await Eventually.TrueAsync(() => browser.Received.Count == 4 * 500);
        if (latency > TimeSpan.Zero)
        {
            service.Push.Faults.Add(new PushFault { Delay = latency, Times = int.MaxValue });
        }

        var started = TimeProvider.System.GetTimestamp();
        await PublishAsync(service, users, events);
        await Eventually.GetAsync(() => Task.FromResult(browser.Received.Count), count => count == (4 + events) * 500, TimeSpan.FromMinutes(5));
        return events * 500 / TimeProvider.System.GetElapsedTime(started).TotalSeconds;
    }

    private static async Task PublishAsync(NotifyService service, IReadOnlyList<string> users, int events)
    {
        var bus = service.Services.GetRequiredService<IBus>();
        for (var i = 0; i < events; i++)
        {
            await bus.Publish(new MessagePosted { MessageId = Guid.NewGuid(), ConversationId = "room", RecipientIds = users, Title = $"{i}" }, Cancellation);
        }
    }
}
