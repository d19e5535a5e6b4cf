using System.Text;
using System.Text.Json;
using Notify.Contracts;
using Notify.Fanout;
using Notify.IntegrationTests.Brokers;
using Notify.LocalPushService;
using Notify.Messaging;
using Notify.Tests;
using Notify.Tests.Commands;
using RabbitMQ.Client;
using static Notify.IntegrationTests.RabbitMq.QueueAccess;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>The command <c>replay</c>: what an operator does about error queues.</summary>
[Collection("RabbitMQ")]
public sealed class ReplayTests(SharedBrokers brokers)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task A_poison_event_is_listed_with_its_reason_and_when_put_back_fails_once_more(RabbitMqVersion version)
    {
        var uri = await brokers.NewVirtualHostAsync(version);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var connection = await ConnectAsync(uri);
        await connection.PublishAsync("Notify.Contracts:MessagePosted", "", ($$"""{"messageId":"{{Guid.NewGuid()}}","title":"a secret"}""", new BasicProperties { ContentType = "application/json" }));
        await Eventually.GetAsync(() => connection.CountAsync("user-fanout_error"), count => count == 1);
        var firstFault = await FaultTimeAsync(connection);

        // It is as the other tests make it: of a queue without a high limit, RabbitMQ 4 drops what was looked at twenty times.
        await connection.DeclareAsync("user-fanout_error");
        await Eventually.GetAsync(() => connection.CountAsync("user-fanout_error"), count => count == 1);

        var list = await RunAsync(uri, "--list");

        Assert.Equal((0, ""), (list.ExitCode, list.Error));
        Assert.Equal("user-fanout_error: 1 message\n  - MessagePosted is not valid. recipientIds: Name at least one recipient.", list.Output.ReplaceLineEndings("\n").Trim());
        await Eventually.GetAsync(() => connection.CountAsync("user-fanout_error"), count => count == 1);

        var replay = await RunAsync(uri);

        Assert.Equal((0, "user-fanout_error: 1 put back, 0 stayed.", ""), (replay.ExitCode, replay.Output.Trim(), replay.Error));
        await Eventually.GetAsync(() => FaultTimeAsync(connection), time => time is not null && time != firstFault);
        await Eventually.GetAsync(() => connection.CountAsync("user-fanout_error"), count => count == 1);
    }

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task What_was_mended_is_handled_oldest_first_and_a_look_before_changes_no_order(RabbitMqVersion version)
    {
        var uri = await brokers.NewVirtualHostAsync(version);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        await using var connection = await ConnectAsync(uri);
        await connection.DeclareAsync("user-fanout_error");
        string[] titles = ["0", "1", "2", "3", "4"];
        await connection.PublishAsync("", "user-fanout_error", titles.Select(title =>
            (EnvelopeOf(new MessagePosted { MessageId = Guid.NewGuid(), ConversationId = "room", RecipientIds = ["ada"], Title = title }), Failed("the store was away"))));

        // What was looked at is back a little later.
        var look = await RunAsync(uri, "--list");
        await Eventually.GetAsync(() => connection.CountAsync("user-fanout_error"), count => count == 5);
        var lookAgain = await RunAsync(uri, "--list");
        await Eventually.GetAsync(() => connection.CountAsync("user-fanout_error"), count => count == 5);
        var first = await RunAsync(uri, "--queue", "user-fanout", "--max", "3");
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Count() == 3);
        var rest = await RunAsync(uri, "--queue", "user-fanout_error");

        Assert.Equal("user-fanout_error: 5 messages\n  - the store was away\n", look.Output.ReplaceLineEndings("\n"));
        Assert.Equal(look.Output, lookAgain.Output);
        Assert.Equal((0, "user-fanout_error: 3 put back, 2 stayed."), (first.ExitCode, first.Output.Trim()));
        Assert.Equal((0, "user-fanout_error: 2 put back, 0 stayed."), (rest.ExitCode, rest.Output.Trim()));
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Count() == 5);
        Assert.Equal(titles, browser.TitlesOf(subscription));
    }

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task A_push_goes_to_its_subscriptions_lane_without_what_the_failure_left_and_an_unreadable_one_stays(RabbitMqVersion version)
    {
        var uri = await brokers.NewVirtualHostAsync(version);
        await using var connection = await ConnectAsync(uri);
        string[] lanes = ["subscription-send-0", "subscription-send-1", "subscription-send-2"];
        await connection.DeclareAsync([.. lanes, "subscription-send-1_error"]);
        var subscriptions = Enumerable.Range(0, 3).Select(lane => Enumerable.Repeat(0, 1000).Select(_ => Guid.NewGuid()).First(id => Lanes.LaneOf($"{id}", 3) == lane)).ToList();
        string[] unreadable = ["{ a secret", "[]", """{"message":{"subscriptionId":7,"title":"a secret"}}""", "null", ""];
        await connection.PublishAsync("", "subscription-send-1_error", unreadable.Select(body => (body, new BasicProperties(Failed("no JSON")) { MessageId = "the\u001b\nbroken" })));
        foreach (var subscription in subscriptions)
        {
            var properties = Failed("the database is locked");
            (properties.MessageId, properties.CorrelationId, properties.Expiration) = ($"{subscription}", "kept", "3600000");
            (properties.Headers!["Own"], properties.Headers["Notify-Attempts"]) = ("kept", 2);
            await connection.PublishAsync("", "subscription-send-1_error", (EnvelopeOf(Push(subscription), new() { ["Notify-Attempts"] = 2, ["Own"] = "kept" }), properties));
        }

        var replay = await RunAsync(uri);

        Assert.Equal((1, "subscription-send-1_error: 3 put back, 5 stayed."), (replay.ExitCode, replay.Output.Trim()));
        Assert.Equal(5, replay.Error.Trim().Split('\n').Count(line => line.StartsWith("subscription-send-1_error: Message the broken cannot be read", StringComparison.Ordinal)));
        Assert.DoesNotContain("a secret", replay.Error, StringComparison.Ordinal);
        await Eventually.GetAsync(() => connection.CountAsync("subscription-send-1_error"), count => count == 5);
        foreach (var (lane, subscription) in subscriptions.Index())
        {
            var message = Assert.Single(await connection.TakeAllAsync(lanes[lane]));
            Assert.Equal(($"{subscription}", "kept", "application/vnd.masstransit+json", false), (message.BasicProperties.MessageId, message.BasicProperties.CorrelationId, message.BasicProperties.ContentType, message.BasicProperties.IsExpirationPresent()));
            Assert.Equal(["Own"], message.BasicProperties.Headers!.Keys.Where(header => !header.StartsWith("x-", StringComparison.Ordinal)));
            var envelope = JsonDocument.Parse(message.Body).RootElement;
            Assert.Equal("""{"Own":"kept"}""", envelope.GetProperty("headers").GetRawText());
            Assert.Equal(Push(subscription), envelope.GetProperty("message").Deserialize<SendPush>(JsonSerializerOptions.Web));
        }
    }

    [Theory]
    [InlineData("user-fanout-part")]
    [InlineData("user-fanout-broadcast")]
    public async Task A_part_goes_to_the_lane_of_its_order_also_from_one_that_is_gone(string stage)
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var connection = await ConnectAsync(uri);
        string[] lanes = [$"{stage}-0", $"{stage}-1"];
        await connection.DeclareAsync([.. lanes, $"{stage}-3_error"]);
        var key = Enumerable.Range(0, 1000).Select(number => $"{number}").First(key => Lanes.LaneOf(key, 2) == 1);
        var part = new UserFanoutPart { MessageId = Guid.NewGuid(), OrderKey = key, RecipientIds = ["ada"], Payload = "{}", Topic = "topic", Urgency = "normal", TtlSeconds = 60, ExpiresAt = DateTimeOffset.UnixEpoch };
        await connection.PublishAsync("", $"{stage}-3_error", (EnvelopeOf(part), Failed("it was Monday")));

        var replay = await RunAsync(uri, "--queue", $"{stage}-3");

        Assert.Equal((0, $"{stage}-3_error: 1 put back, 0 stayed."), (replay.ExitCode, replay.Output.Trim()));
        var message = JsonDocument.Parse(Assert.Single(await connection.TakeAllAsync(lanes[1])).Body).RootElement.GetProperty("message");
        Assert.Equal(part.MessageId, message.GetProperty("messageId").GetGuid());
    }

    [Fact]
    public async Task A_push_that_was_given_up_is_made_once_its_push_service_is_back()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var service = await RabbitMqService.StartAsync(uri, "--Notify:Sending:MaxAttempts=2");
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        service.Push.Faults.Add(new PushFault { Status = 503, Times = 2 });
        var message = new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "again" };
        await service.PostAsync(message);
        Assert.Equal("failed", (await service.SettledDeliveriesAsync(message.MessageId, 1))[0].GetProperty("state").GetString());

        var list = await RunAsync(uri, "--list");
        var others = await RunAsync(uri, "--queue", "user-fanout-part");
        var replay = await RunAsync(uri, "--queue", "subscription-send");

        Assert.Equal((0, "There is no error queue of user-fanout-part: nothing has failed."), (others.ExitCode, others.Output.Trim()));
        Assert.Matches("^subscription-send-[0-9]_error: 1 message\n  - attempts_exhausted", list.Output.ReplaceLineEndings("\n"));
        Assert.Matches("^subscription-send-[0-9]_error: 1 put back, 0 stayed.$", replay.Output.Trim());
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).SequenceEqual(["again"]));
        await Eventually.GetAsync(() => service.SettledDeliveriesAsync(message.MessageId, 1), rows => rows[0].GetProperty("state").GetString() == "accepted");
    }

    [Fact]
    public async Task Where_the_original_queue_is_missing_the_messages_stay_and_other_queues_are_put_back_all_the_same()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var connection = await ConnectAsync(uri);
        await connection.DeclareAsync("user-fanout_error", "delivery-log_error", "delivery-log");
        await connection.PublishAsync("", "user-fanout_error", ("{}", Failed("it was Monday")), ("{}", Failed("it was Monday")));
        await connection.PublishAsync("", "delivery-log_error", ("{}", Failed("it was Monday")));

        var replay = await RunAsync(uri);

        Assert.Equal(1, replay.ExitCode);
        Assert.Equal(["user-fanout_error: 0 put back, 2 stayed.", "delivery-log_error: 1 put back, 0 stayed."], replay.Output.Trim().Split('\n').Select(line => line.Trim()));
        Assert.Contains("user-fanout_error: There is no queue user-fanout. Start Notify", replay.Error, StringComparison.Ordinal);
        await Eventually.GetAsync(() => connection.CountAsync("user-fanout_error"), count => count == 2);
        Assert.Equal(1u, await connection.CountAsync("delivery-log"));
    }

    [Fact]
    public async Task Reasons_are_few_and_short_and_tell_no_endpoint_and_no_key()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V3);
        await using var connection = await ConnectAsync(uri);
        await connection.DeclareAsync("delivery-log_error");
        var key = new string('k', 43);
        string[] reasons = ["\u001b[2Jred\nand\u202eblue", "x" + string.Concat(Enumerable.Repeat("🦅", 120)), $"POST https://push.example/send/secret with {key} failed", .. Enumerable.Range(0, 9).Select(i => $"reason {i}")];
        await connection.PublishAsync("", "delivery-log_error", reasons.SelectMany(reason => new[] { ("{}", Failed(reason)), ("{}", Failed(reason)) }));

        var lines = (await RunAsync(uri, "--list")).Output.ReplaceLineEndings("\n").TrimEnd().Split('\n');

        Assert.Equal(
            [
                "delivery-log_error: 24 messages", "  - [2Jred and blue", "  - x" + string.Concat(Enumerable.Repeat("🦅", 99)), "  - POST https://push.example/… with … failed",
                .. Enumerable.Range(0, 7).Select(i => $"  - reason {i}"), "  - and others",
            ],
            lines);
    }

    [Fact]
    public async Task Where_nothing_failed_it_says_so()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V3);

        var run = await RunAsync(uri, "--queue", "subscription-send-200");

        Assert.Equal((0, "There is no error queue of subscription-send-200: nothing has failed."), (run.ExitCode, run.Output.Trim()));
    }

    [Theory]
    [InlineData("InMemory", "an in-memory bus keeps nothing to replay")]
    [InlineData("RabbitMq", "cannot be reached at 127.0.0.1:9")]
    [InlineData("RabbitMq", "'orders' is no queue that Notify keeps", "--queue", "orders")]
    [InlineData("RabbitMq", "'subscription-send-07' is no queue", "--queue", "subscription-send-07")]
    [InlineData("RabbitMq", "--max is a number of messages", "--max", "0")]
    [InlineData("RabbitMq", "--max has no meaning", "--max", "1", "--list")]
    [InlineData("RabbitMq", "'--mxa' is not a command or option", "--mxa", "1")]
    public async Task What_it_cannot_do_ends_in_a_sentence(string transport, string said, params string[] arguments)
    {
        var run = await NotifyProcess.RunAsync(Settings(transport, new Uri("amqp://guest:guest@127.0.0.1:9/")), ["replay", .. arguments]);

        Assert.Equal((1, ""), (run.ExitCode, run.Output));
        Assert.Contains(said, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
    }

    private static Task<NotifyProcess> RunAsync(Uri uri, params string[] arguments) => NotifyProcess.RunAsync(Settings("RabbitMq", uri), ["replay", .. arguments]);

    private static Dictionary<string, string> Settings(string transport, Uri uri) => new() { ["Notify__Transport"] = transport, ["ConnectionStrings__RabbitMq"] = $"{uri}" };

    private static SendPush Push(Guid subscription) => new()
    {
        SubscriptionId = subscription,
        UserId = "ada",
        MessageId = Guid.Empty,
        Payload = """{"notification":{"title":"again"}}""",
        Urgency = "normal",
        TtlSeconds = 60,
        ExpiresAt = new DateTimeOffset(2100, 1, 1, 0, 0, 0, TimeSpan.Zero),
    };

    private static string EnvelopeOf<T>(T message, Dictionary<string, object>? headers = null) => JsonSerializer.Serialize(
        new { MessageId = Guid.NewGuid(), MessageType = new[] { $"urn:message:{typeof(T).Namespace}:{typeof(T).Name}" }, Message = message, Headers = headers ?? [] }, JsonSerializerOptions.Web);

    private static async Task<string?> FaultTimeAsync(IConnection connection)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancellation);
        var message = await channel.BasicGetAsync("user-fanout_error", autoAck: false, Cancellation);
        return message?.BasicProperties.Headers?["MT-Fault-Timestamp"] is byte[] time ? Encoding.UTF8.GetString(time) : null;
    }
}
