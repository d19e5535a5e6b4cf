using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using MassTransit;
using Notify.IntegrationTests.Brokers;
using Notify.Messaging.RabbitMq;
using Notify.Tests;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>Publishers that are no MassTransit: JSON with content type application/json, to the exchange of MessagePosted.</summary>
[Collection("RabbitMQ")]
public sealed class PlainJsonTests(SharedBrokers brokers)
{
    private const string Exchange = "Notify.Contracts:MessagePosted";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task Plain_json_in_either_case_is_fanned_out_beside_the_envelope(RabbitMqVersion version)
    {
        var uri = await brokers.NewVirtualHostAsync(version);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;

        await PublishAsync(uri, "application/json", $$"""{"messageId":"{{Guid.NewGuid()}}","conversationId":"room","recipientIds":["ada"],"title":"camel","unknown":1}""");
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Count() == 1);
        await PublishAsync(uri, "application/json", $$"""{"MessageId":"{{Guid.NewGuid()}}","ConversationId":"room","RecipientIds":["ada"],"Title":"Pascal","Body":"Zażółć 🦅"}""");
        await service.PostAsync(new Contracts.MessagePosted { MessageId = Guid.NewGuid(), ConversationId = "room", RecipientIds = ["ada"], Title = "envelope" });

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Count() == 3);
        Assert.Equal(["camel", "Pascal", "envelope"], browser.TitlesOf(subscription));
    }

    [Theory]
    [InlineData("application/json", """{"messageId":"0191f6a2-0000-7000-8000-000000000001","title":"nobody"}""", "recipientIds: Name at least one recipient.")]
    [InlineData("application/json", """{"recipientIds":["ada"],"title":"no id"}""", "messageId: Give every event a UUID of its own")]
    [InlineData("application/json", """{"messageId":"0191f6a2-0000-7000-8000-000000000001","recipientIds":"ada","title":"no list"}""", "recipientIds")]
    [InlineData("application/json", """{"messageId":"0191f6a2-0000-7000-8000-000000000001","recipientIds":["ada"],"title":"no number","ttlSeconds":"60"}""", "$.ttlSeconds")]
    [InlineData("application/vnd.masstransit+json", """{"messageType":["urn:message:Notify.Contracts:MessagePosted"],"message":{"recipientIds":["ada"],"title":5}}""", "$.title")]
    [InlineData("application/json", "{ this is no JSON", "invalid start of a property name")]
    [InlineData("application/json", "null", "The body must be MessagePosted as JSON, not null.")]
    [InlineData(null, """{"messageId":"0191f6a2-0000-7000-8000-000000000001","recipientIds":["ada"],"title":"no content type"}""", null)]
    public async Task A_bad_one_ends_in_the_error_queue_with_a_readable_reason_and_the_next_is_fanned_out(string? contentType, string body, string? reason)
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;

        await PublishAsync(uri, contentType, body);
        await PublishAsync(uri, "application/json", $$"""{"messageId":"{{Guid.NewGuid()}}","recipientIds":["ada"],"title":"next"}""");

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).SequenceEqual(["next"]));
        var error = await Eventually.GetAsync(() => TakeErrorAsync(uri), message => message is not null);
        Assert.Equal(body, Encoding.UTF8.GetString(error!.Body.Span));
        var said = Encoding.UTF8.GetString((byte[])error.BasicProperties.Headers!["MT-Fault-Message"]!);
        Assert.Contains(reason ?? "", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(17)]
    [InlineData(65)]
    public async Task One_that_is_too_large_for_any_event_ends_there_too_though_the_client_takes_no_more_than_64_MiB_by_itself(int mebibytes)
    {
        // Later brokers take 16 MiB.
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V3);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;

        await PublishAsync(uri, "application/json", $$"""{"title":"{{new string('x', mebibytes * 1024 * 1024)}}"}""");
        await PublishAsync(uri, "application/json", $$"""{"messageId":"{{Guid.NewGuid()}}","recipientIds":["ada"],"title":"next"}""");

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).SequenceEqual(["next"]));
        var error = await Eventually.GetAsync(() => TakeErrorAsync(uri), message => message is not null);
        Assert.Contains("an event has 16,777,216 at most", Encoding.UTF8.GetString((byte[])error!.BasicProperties.Headers!["MT-Fault-Message"]!), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(RabbitMqVersion.V3, false)]
    [InlineData(RabbitMqVersion.V4, false)]
    [InlineData(RabbitMqVersion.V4, true)]
    public async Task One_with_nearly_as_many_headers_as_a_frame_has_room_for_holds_nothing_up(RabbitMqVersion version, bool isBinary)
    {
        var uri = await brokers.NewVirtualHostAsync(version);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        await using var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync(Cancellation);

        // With those that say why it failed they would be too many for the error queue.
        BasicProperties Crowded() => new() { ContentType = "application/json", Headers = new Dictionary<string, object?> { ["small"] = "kept", ["large"] = isBinary ? new BinaryTableValue(new byte[129_000]) : new string('x', 129_000) } };
        await connection.PublishAsync(
            Exchange,
            "",
            ("""{"title":"bad"}""", Crowded()),
            ($$"""{"messageId":"{{Guid.NewGuid()}}","recipientIds":["ada"],"title":"next"}""", Crowded()));

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).SequenceEqual(["next"]));
        var error = await Eventually.GetAsync(() => TakeErrorAsync(uri), message => message is not null);
        Assert.Equal("kept", Encoding.UTF8.GetString((byte[])error!.BasicProperties.Headers!["small"]!));
        Assert.Contains("messageId", Encoding.UTF8.GetString((byte[])error.BasicProperties.Headers!["MT-Fault-Message"]!), StringComparison.Ordinal);
        Assert.DoesNotContain("large", error.BasicProperties.Headers.Keys);
        Assert.Equal(0u, await connection.CountAsync("user-fanout"));
    }

    [Theory]
    [InlineData("application/vnd.masstransit+json")]
    [InlineData("application/json")]
    public async Task A_bad_one_that_names_an_address_for_its_fault_holds_nothing_up(string contentType)
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        await using var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync(Cancellation);

        // A fault could not be sent there: MassTransit would declare it as another type.
        const string Address = "exchange:amq.direct";
        var body = contentType == "application/json" ? """{"title":"bad"}""" : $$"""
            {"messageId":"{{Guid.NewGuid()}}","messageType":["urn:message:Notify.Contracts:MessagePosted"],"FaultAddress":"{{Address}}","responseAddress":"{{Address}}","requestId":"{{Guid.NewGuid()}}","message":{"title":"bad"} }
            """;
        await connection.PublishAsync(Exchange, "", (body, new BasicProperties { ContentType = contentType, Headers = new Dictionary<string, object?> { ["MT-Fault-Address"] = Address, ["MT-Response-Address"] = Address } }));
        await PublishAsync(uri, "application/json", $$"""{"messageId":"{{Guid.NewGuid()}}","recipientIds":["ada"],"title":"next"}""");

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).SequenceEqual(["next"]));
        var error = await Eventually.GetAsync(() => TakeErrorAsync(uri), message => message is not null);
        Assert.Equal(body, Encoding.UTF8.GetString(error!.Body.Span));
        Assert.Equal(0u, await connection.CountAsync("user-fanout"));
    }

    [Theory]
    [InlineData(0x08B00000, "amq.direct no address at all")]
    [InlineData(0x2BCA2875, "exchange:amq.direct")]
    public async Task What_stands_beside_a_good_one_does_not_keep_it_from_being_fanned_out(int ticks, string address)
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        await using var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync(Cancellation);

        // MassTransit would read a time out of such an id: in 1985, or at the end of 9999.
        var (first, second) = (Guid.NewGuid(), new NewId(ticks, 0, 0, 0).ToGuid());
        await connection.PublishAsync(
            Exchange,
            "",
            ($$"""
            {"messageId":"none","conversationId":"{{address}}","correlationId":"5","sourceAddress":"{{address}}","destinationAddress":"::","messageType":["urn:message:Notify.Contracts:MessagePosted"],"sentTime":"9999-12-31T23:59:59Z","responseAddress":"{{address}}","faultAddress":"{{address}}",
             "message":{"messageId":"{{first}}","conversationId":"room","recipientIds":["ada"],"title":"envelope"} }
            """, new BasicProperties { ContentType = "application/vnd.masstransit+json" }),
            ($$"""{"messageId":"{{second}}","conversationId":"room","recipientIds":["ada"],"title":"plain"}""", new BasicProperties
            {
                ContentType = "application/json",
                MessageId = $"{second}",
                Headers = new Dictionary<string, object?> { ["MT-Response-Address"] = address, ["MT-Fault-Address"] = address },
            }));

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).SequenceEqual(["envelope", "plain"]));
        await Eventually.GetAsync(() => connection.CountAsync("user-fanout"), count => count == 0);
        Assert.Null(await TakeErrorAsync(uri));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_has_waited_longer_than_its_TTL_is_dropped_where_its_time_stands_beside_it(bool byBroker)
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        await using var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync(Cancellation);
        var (messageId, then) = (Guid.NewGuid(), TimeProvider.System.GetUtcNow() - TimeSpan.FromMinutes(2));
        var properties = new BasicProperties { ContentType = "application/json" };
        if (byBroker)
        {
            properties.Headers = new Dictionary<string, object?> { ["timestamp_in_ms"] = then.ToUnixTimeMilliseconds() };
        }
        else
        {
            properties.Timestamp = new AmqpTimestamp(then.ToUnixTimeSeconds());
        }

        await connection.PublishAsync(Exchange, "", ($$"""{"messageId":"{{messageId}}","recipientIds":["ada"],"title":"late","ttlSeconds":60}""", properties));

        var delivery = Assert.Single(await service.SettledDeliveriesAsync(messageId, 1));
        Assert.StartsWith("ttl_expired", delivery.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Empty(browser.TitlesOf(subscription));
        Assert.Equal(0, service.Push.Status.AnswersByStatus.Values.Sum());
    }

    [Fact]
    public async Task While_the_broker_is_away_the_service_is_not_ready()
    {
        await using var broker = await RabbitMqBroker.StartAsync(RabbitMqVersion.V4, Cancellation);
        await using var service = await RabbitMqService.StartAsync(broker.AmqpUri);
        using var http = new HttpClient { BaseAddress = service.Url };
        await Eventually.GetAsync(StatusAsync, status => status == System.Net.HttpStatusCode.OK);

        await broker.KillAsync();
        await Eventually.GetAsync(StatusAsync, status => status == System.Net.HttpStatusCode.ServiceUnavailable);

        await broker.StartAgainAsync(Cancellation);
        await Eventually.GetAsync(StatusAsync, status => status == System.Net.HttpStatusCode.OK);

        async Task<System.Net.HttpStatusCode> StatusAsync()
        {
            using var response = await http.GetAsync("health/ready", Cancellation);
            return response.StatusCode;
        }
    }

    [Fact]
    public async Task A_traceparent_header_takes_the_push_into_the_publishers_trace()
    {
        var posts = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "Notify" or "MassTransit",
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                if (span.OperationName == "POST")
                {
                    posts.Enqueue(span);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        var (messageId, trace) = (Guid.NewGuid(), ActivityTraceId.CreateRandom());

        await PublishAsync(uri, "application/json", $$"""{"messageId":"{{messageId}}","recipientIds":["ada"],"title":"traced"}""", $"00-{trace}-{ActivitySpanId.CreateRandom()}-01");

        await Eventually.TrueAsync(() => posts.Any(span => messageId.Equals(span.GetTagItem("notify.message.id"))));
        Assert.Equal(trace, posts.First(span => messageId.Equals(span.GetTagItem("notify.message.id"))).TraceId);
    }

    [Fact]
    public async Task One_message_published_at_once_by_several_in_the_envelope_and_as_plain_json_is_fanned_out_once()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var publishers = await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ =>
        {
            var bus = Bus.Factory.CreateUsingRabbitMq(RabbitMqAddress.Parse($"{uri}").Configure);
            await bus.StartAsync(Cancellation);
            return bus;
        }));
        var titles = Enumerable.Range(0, 20).Select(i => $"{i}").ToList();

        // No conversation: nothing but the id says that they are one.
        await Task.WhenAll(titles.Select(title =>
        {
            var message = new Contracts.MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = title };
            return Task.WhenAll(publishers.Select(publisher => publisher.Publish(message, Cancellation))
                .Append(PublishAsync(uri, "application/json", $$"""{"messageId":"{{message.MessageId}}","recipientIds":["ada"],"title":"{{title}}"}""")));
        }));
        // Once all of it is taken in, every part of it lies in a lane, and what comes later says when the lanes are done with it.
        var management = (await brokers.GetAsync(RabbitMqVersion.V4)).Management;
        await Eventually.GetAsync(QueuesAsync, queues => queues.Any(queue => queue is { Name: "user-fanout", MessageStats.Ack: >= 80 }));
        await service.PostAsync(new Contracts.MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "last" });
        await Eventually.TrueAsync(() => titles.Append("last").All(browser.TitlesOf(subscription).Contains));
        await Eventually.GetAsync(QueuesAsync, queues => queues.All(queue => queue is { MessagesReady: 0, MessagesUnacknowledged: 0 }));

        Assert.Equal(titles.Append("last").Order(), browser.TitlesOf(subscription).Order());
        Assert.Equal(titles.Count + 1, service.Push.Status.AnswersByStatus.Values.Sum());
        await Task.WhenAll(publishers.Select(publisher => publisher.StopAsync(CancellationToken.None)));

        async Task<List<QueueInfo>> QueuesAsync() => [.. (await management.QueuesAsync(uri.AbsolutePath[1..]))
            .Where(queue => queue.Name is "user-fanout" || queue.Name.StartsWith("user-fanout-part", StringComparison.Ordinal) || queue.Name.StartsWith("subscription-send", StringComparison.Ordinal))];
    }

    private static async Task PublishAsync(Uri uri, string? contentType, string body, string? traceParent = null)
    {
        await using var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync(Cancellation);
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), Cancellation);
        var properties = new BasicProperties { Persistent = true };
        if (contentType is not null)
        {
            properties.ContentType = contentType;
        }

        if (traceParent is not null)
        {
            properties.Headers = new Dictionary<string, object?> { ["traceparent"] = traceParent };
        }

        await channel.BasicPublishAsync(Exchange, "", mandatory: true, properties, Encoding.UTF8.GetBytes(body), Cancellation);
    }

    private static async Task<BasicGetResult?> TakeErrorAsync(Uri uri)
    {
        await using var connection = await new ConnectionFactory { Uri = uri, MaxInboundMessageBodySize = 128 * 1024 * 1024 }.CreateConnectionAsync(Cancellation);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancellation);
        try
        {
            return await channel.BasicGetAsync("user-fanout_error", autoAck: true, Cancellation);
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode is Constants.NotFound or Constants.InternalError)
        {
            // It is made with the first error; while it is being made, RabbitMQ says that it has no process.
            return null;
        }
    }
}
