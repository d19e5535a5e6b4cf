using System.Text.RegularExpressions;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Notify.Messaging.RabbitMq.Delays;
using Notify.IntegrationTests.Brokers;
using Notify.Messaging;
using Notify.Messaging.RabbitMq;
using Notify.Tests;
using RabbitMQ.Client;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>What the service declares, and what it does where the broker has something else.</summary>
[Collection("RabbitMQ")]
public sealed partial class TopologyTests(SharedBrokers brokers)
{
    private static readonly string[] TwoLanes = ["--Notify:Sending:Partitions=2", "--Notify:Fanout:Partitions=1"];

    private static readonly string[] Events =
    [
        .. new[] { "PushAccepted", "PushFailed", "PushDeferred", "PushDisplayed", "PushClicked", "SubscriptionRegistered", "SubscriptionExpired", "SubscriptionRemoved" }.Select(name => $"Notify.Contracts:{name}"),
    ];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task The_queues_are_durable_quorum_queues_with_names_that_a_person_reads(RabbitMqVersion version)
    {
        var (uri, management) = await NewAsync(version);
        await using var service = await RabbitMqService.StartAsync(uri, TwoLanes);

        var queues = await management.QueuesAsync(uri.AbsolutePath[1..]);

        Assert.Equal(
            ["delivery-log", "subscription-expired", "subscription-send-0", "subscription-send-1", "user-fanout", "user-fanout-broadcast-0", "user-fanout-part-0"],
            queues.Where(queue => queue.Type == "quorum" && !queue.Name.StartsWith("delay-", StringComparison.Ordinal)).Select(queue => queue.Name).Order());
        Assert.Equal(DelayQueues.Ahead.Select(DelayQueues.NameOf).Order(), queues.Where(queue => queue.Name.StartsWith("delay-", StringComparison.Ordinal)).Select(queue => queue.Name).Order());

        // Nothing else stays when the worker goes; what newer brokers refuse (transient queues that several connections may use) is not among it.
        Assert.Equal(["notify-worker-0", "subscription-cache-ID", "worker-report-ID"], queues.Where(queue => queue.Type != "quorum").Select(queue => Id().Replace(queue.Name, "-ID")).Order());
        Assert.Contains(await management.BindingsAsync(uri.AbsolutePath[1..]), binding => binding is { Source: "Notify.Contracts:MessagePosted", Destination: "user-fanout" });

        // Whoever listens may bind a queue from the start on.
        Assert.Empty(Events.Except((await management.ExchangesAsync(uri.AbsolutePath[1..])).Select(exchange => exchange.Name)));
        Assert.All(["subscription-send-0", "user-fanout", "user-fanout-broadcast-0", "user-fanout-part-0"], name => Assert.True(queues.Single(queue => queue.Name == name).Arguments["x-single-active-consumer"].GetBoolean()));
    }

    [Theory]
    [InlineData(".*", ".*", "nowhere", "does not let the worker start")]
    [InlineData(".*", ".*", "%2F", "does not let the worker start")]
    [InlineData("^$", ".*", null, "access to queue 'notify-lane-check'")]
    [InlineData(".*", "^$", null, "access to")]
    public async Task A_virtual_host_or_a_right_that_is_missing_is_told_of_in_a_sentence(string configure, string write, string? virtualHost, string said)
    {
        var (uri, management) = await NewAsync(RabbitMqVersion.V4);
        var (user, allowed, file) = ($"user-{Guid.NewGuid():N}", uri.AbsolutePath[1..], Path.GetTempFileName());
        await management.CreateUserAsync(user, "s3cret", allowed, configure, write);

        await using var worker = await WorkerProcess.RunAsync(
            ("Notify__Transport", "RabbitMq"),
            ("ConnectionStrings__RabbitMq", $"amqp://{user}:s3cret@{uri.Authority[(uri.Authority.IndexOf('@', StringComparison.Ordinal) + 1)..]}/{virtualHost ?? allowed}"),
            ("ConnectionStrings__Notify", $"Data Source={file}"),
            ("Notify__LocalPushService__Url", "http://127.0.0.1:0"));

        var output = string.Join('\n', worker.Lines);
        Assert.Equal(1, worker.ExitCode);
        Assert.Contains(said, output, StringComparison.Ordinal);
        Assert.Contains("ConnectionStrings__RabbitMq must name a virtual host", output, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled", output, StringComparison.Ordinal);
        File.Delete(file);
    }

    [Fact]
    public async Task A_second_start_finds_everything_as_it_should_be()
    {
        var (uri, _) = await NewAsync(RabbitMqVersion.V3);
        await using (await RabbitMqService.StartAsync(uri, TwoLanes))
        {
        }

        await using var again = await RabbitMqService.StartAsync(uri, TwoLanes);
    }

    [Fact]
    public async Task Workers_that_start_together_on_an_empty_broker_do_not_mind_each_other()
    {
        var (uri, _) = await NewAsync(RabbitMqVersion.V4);

        var services = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => RabbitMqService.StartAsync(uri, TwoLanes)));

        foreach (var service in services)
        {
            await service.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(4)]
    [InlineData(1)]
    public async Task Another_number_of_lanes_is_refused_while_a_worker_runs_and_taken_when_none_does(int lanes)
    {
        var (uri, management) = await NewAsync(RabbitMqVersion.V4);
        await using (await RabbitMqService.StartAsync(uri, TwoLanes))
        {
            var refused = await Assert.ThrowsAsync<LaneException>(() => RabbitMqService.StartAsync(uri, $"--Notify:Sending:Partitions={lanes}", "--Notify:Fanout:Partitions=1"));
            Assert.Contains("2 lanes of subscription-send", refused.Message, StringComparison.Ordinal);
            Assert.Contains("Notify__Sending__Partitions", refused.Message, StringComparison.Ordinal);
        }

        await using var service = await RabbitMqService.StartAsync(uri, $"--Notify:Sending:Partitions={lanes}", "--Notify:Fanout:Partitions=1");

        Assert.Equal(lanes, (await management.QueuesAsync(uri.AbsolutePath[1..])).Count(queue => queue.Name.StartsWith("subscription-send-", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_command_for_which_there_is_no_queue_is_an_error_and_not_lost()
    {
        var (uri, _) = await NewAsync(RabbitMqVersion.V3);
        await using var service = await RabbitMqService.StartAsync(uri, TwoLanes);
        await using (var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync(Cancellation))
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancellation))
        {
            await channel.QueueDeleteAsync("subscription-send-0", cancellationToken: Cancellation);
            await channel.QueueDeleteAsync("subscription-send-1", cancellationToken: Cancellation);
        }

        var push = new Contracts.SendPush
        {
            SubscriptionId = Guid.NewGuid(), UserId = "ada", MessageId = Guid.NewGuid(), Payload = "{}", Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.UtcNow.AddMinutes(1),
        };
        await Assert.ThrowsAsync<MessageReturnedException>(() => service.Services.GetRequiredService<PushSender>().SendAsync(push, null, Cancellation));
    }

    [Fact]
    public async Task A_subscription_made_at_one_worker_is_pushed_to_by_another_that_had_looked_before()
    {
        var (uri, _) = await NewAsync(RabbitMqVersion.V4);
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            // The first owns every lane and has looked: ada had no subscription.
            await using var first = await RabbitMqService.StartAsync(uri, folder, TwoLanes);
            var before = new Contracts.MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "before" };
            await first.PostAsync(before);
            await using var second = await RabbitMqService.StartAsync(uri, folder, [.. TwoLanes, $"--Notify:LocalPushService:Url={first.Push.Url.GetLeftPart(UriPartial.Authority)}"]);
            await using var browser = await Browser.OpenAsync(first);
            await second.SubscribeAsync(browser.Agent, "ada");

            await Eventually.GetAsync(
                async () =>
                {
                    await first.PostAsync(new Contracts.MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "after" });
                    return browser.Received.Count;
                },
                count => count > 0);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task<(Uri Uri, RabbitMqManagement Management)> NewAsync(RabbitMqVersion version) =>
        (await brokers.NewVirtualHostAsync(version), (await brokers.GetAsync(version)).Management);

    [GeneratedRegex("-[0-9a-f]{32}$")]
    private static partial Regex Id();
}
