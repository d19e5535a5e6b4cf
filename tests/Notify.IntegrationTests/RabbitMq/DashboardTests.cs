using System.Net.ServerSentEvents;
using System.Text.Json;
using Notify.Dashboard;
using Notify.IntegrationTests.Brokers;
using Notify.LocalPushService;
using Notify.Tests;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>What any worker's dashboard tells of all workers and of the broker's queues.</summary>
[Collection("RabbitMQ")]
public sealed class DashboardTests(SharedBrokers brokers)
{
    private static readonly JsonSerializerOptions Json = JsonSerializerOptions.Web;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task Any_worker_shows_all_workers_every_lane_and_what_the_broker_holds_back(RabbitMqVersion version)
    {
        var uri = await brokers.NewVirtualHostAsync(version);
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            await using var first = await RabbitMqService.StartAsync(uri, folder, "--Notify:Sending:RetryDelay=00:00:30", "--Notify:Sending:Partitions=4");
            await using var second = await RabbitMqService.StartAsync(
                uri, folder, "--Notify:Sending:RetryDelay=00:00:30", "--Notify:Sending:Partitions=4", $"--Notify:PushServices:Allowed:0={first.Push.Url.GetLeftPart(UriPartial.Authority)}");
            await using var browser = await Browser.OpenAsync(first);
            await first.SubscribeAsync(browser.Agent, "ada");
            first.Push.Faults.Add(new PushFault { Status = 503, Times = 1 });
            foreach (var title in new[] { "waits for its retry", "waits behind it" })
            {
                await first.PostAsync(new { messageId = Guid.NewGuid(), conversationId = "room", recipientIds = new[] { "ada" }, title });
            }

            foreach (var service in new[] { first, second })
            {
                var live = await LiveAsync(service, seen => seen is { Workers.Count: 2, Backlog: { WaitingLines: 1, WaitingPushes: 2, Redeliveries.Count: > 0 } });

                Assert.Equal(2, live.Workers.Select(worker => worker.Id).Distinct().Count());
                Assert.Equal(1, live.Backlog!.Redeliveries.Sum(held => held.Messages));
                Assert.InRange(live.Backlog.Redeliveries[0].Seconds, 30, 45);
                Assert.Equal(4, live.Backlog.Queues.Count(queue => queue.Stage == "subscription-send"));
                Assert.Equal(
                    ["delivery-log", "subscription-expired", "subscription-send", "user-fanout", "user-fanout-broadcast", "user-fanout-part"],
                    live.Backlog.Queues.Select(queue => queue.Stage).Distinct().Order());

                // RabbitMQ 3 counts the one that is at work, later ones those that stand by too.
                Assert.All(live.Backlog.Queues, queue => Assert.InRange(queue.Consumers, 1, 2));
                Assert.Empty(live.Backlog.Errors);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<LiveView> LiveAsync(NotifyService service, Func<LiveView, bool> condition)
    {
        using var http = service.ClientOf("operator");
        await using var stream = await http.GetStreamAsync("api/dashboard/live", Cancellation);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(Eventually.Patience);
        await foreach (var item in SseParser.Create(stream).EnumerateAsync(patience.Token))
        {
            if (item.EventType == "live" && JsonSerializer.Deserialize<LiveView>(item.Data, Json) is { } live && condition(live))
            {
                return live;
            }
        }

        throw new InvalidOperationException("The stream ended.");
    }
}
