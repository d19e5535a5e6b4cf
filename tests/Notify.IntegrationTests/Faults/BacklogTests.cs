using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using MassTransit;
using Notify.Contracts;
using Notify.IntegrationTests.Brokers;
using Notify.IntegrationTests.Databases;
using Notify.IntegrationTests.RabbitMq;
using Notify.LocalPushService;
using Notify.Messaging;
using Notify.Messaging.RabbitMq;
using Notify.Store;
using Notify.Tests;

namespace Notify.IntegrationTests.Faults;

/// <summary>A worker that finds very many pushes queued takes no more of them than it handles.</summary>
[Collection("RabbitMQ")]
public sealed class BacklogTests(SharedDatabases databases, ITestOutputHelper output)
{
    private const int LaneCount = 8;
    private const int Subscriptions = 1000;
    private const int InFlight = 1000;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The plot of docs/operations.md, by hand: the worker's memory (resident) while it drains what is queued, NOTIFY_TEST_BACKLOG pushes, a million unless that says otherwise.
    /// It goes to the file that NOTIFY_TEST_PLOT names.</summary>
    [Fact(Explicit = true)]
    public async Task Memory_while_a_backlog_is_drained()
    {
        var backlog = int.Parse(Environment.GetEnvironmentVariable("NOTIFY_TEST_BACKLOG") ?? "1000000", CultureInfo.InvariantCulture);
        await using var broker = await RabbitMqBroker.StartAsync(RabbitMqVersion.V4, Cancellation);
        var database = await databases.NewPostgreSqlAsync();
        await using var push = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, Cancellation);
        await using var agent = await LocalUserAgent.ConnectAsync(push.Url, Cancellation);
        agent.Decrypts = false;
        Task<WorkerProcess> StartWorkerAsync() => WorkerProcess.StartAsync(
            ("Notify__Transport", "RabbitMq"),
            ("ConnectionStrings__RabbitMq", $"{broker.AmqpUri}"),
            ("Notify__Store", $"{StoreKind.PostgreSql}"),
            ("ConnectionStrings__Notify", database!.ConnectionString),
            ("Notify__LocalPushService__Url", push.Url.GetLeftPart(UriPartial.Authority)),
            ("Notify__Sending__Partitions", $"{LaneCount}"));

        List<Guid> subscriptions;
        await using (var first = await StartWorkerAsync())
        {
            subscriptions = await SubscribeAsync(first.Url, agent);
            await first.StopAsync();
        }

        await SendAsync($"{broker.AmqpUri}", subscriptions, backlog);
        await Eventually.GetAsync(() => CountAsync(broker), count => count.Queued == backlog, TimeSpan.FromMinutes(5));

        await using var worker = await StartWorkerAsync();
        var started = TimeProvider.System.GetTimestamp();
        var samples = new List<(double Seconds, double Memory, double Queued, double Unacknowledged)>();
        var received = 0;
        var receiving = Task.Run(async () =>
        {
            while (Volatile.Read(ref received) < backlog)
            {
                await agent.Received.ReadAsync(Cancellation);
                Interlocked.Increment(ref received);
            }
        }, Cancellation);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(2));
        do
        {
            var (queued, unacknowledged) = await CountAsync(broker);
            samples.Add((TimeProvider.System.GetElapsedTime(started).TotalSeconds, worker.ResidentMegabytes, queued / 1000.0, unacknowledged));
        }
        while (!receiving.IsCompleted && await timer.WaitForNextTickAsync(Cancellation));
        await receiving;

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{backlog} pushes in {samples[^1].Seconds:0} s; memory of the worker {samples.Skip(samples.Count / 10).Min(sample => sample.Memory):0} to {samples.Max(sample => sample.Memory):0} MB; at most {samples.Max(sample => sample.Unacknowledged):0} with the worker at once"));
        if (Environment.GetEnvironmentVariable("NOTIFY_TEST_PLOT") is { Length: > 0 } file)
        {
            await File.WriteAllTextAsync(
                file,
                Plot.Draw("seconds", new PlotLine("queued pushes, thousands", [.. samples.Select(sample => (sample.Seconds, sample.Queued))]), new PlotLine("memory of the worker, MB", [.. samples.Select(sample => (sample.Seconds, sample.Memory))])),
                Cancellation);
        }
    }

    private static async Task<List<Guid>> SubscribeAsync(Uri worker, LocalUserAgent agent)
    {
        using var http = new HttpClient { BaseAddress = worker };
        var key = (await http.GetFromJsonAsync<JsonElement>("api/vapid-public-key", Cancellation)).GetProperty("publicKey").GetString();
        var ids = new List<Guid>();
        for (var user = 0; user < Subscriptions; user++)
        {
            var subscription = await agent.SubscribeAsync(key, Cancellation);
            using var request = new HttpRequestMessage(HttpMethod.Post, "api/subscriptions") { Content = new StringContent(subscription.ToJson(), Encoding.UTF8, "application/json") };
            request.Headers.Add("X-Notify-User", UserOf(user));
            using var response = await http.SendAsync(request, Cancellation);
            ids.Add((await response.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("id").GetGuid());
        }

        return ids;
    }

    private static async Task SendAsync(string broker, List<Guid> subscriptions, int count)
    {
        var bus = Bus.Factory.CreateUsingRabbitMq(RabbitMqAddress.Parse(broker).Configure);
        await bus.StartAsync(Cancellation);
        var lanes = new ISendEndpoint[LaneCount];
        for (var lane = 0; lane < LaneCount; lane++)
        {
            lanes[lane] = await bus.GetSendEndpoint(new Uri($"exchange:{Lanes.QueueOf(Queues.SubscriptionSend, lane)}"));
        }

        var expires = TimeProvider.System.GetUtcNow().AddDays(1);
        await Task.WhenAll(Enumerable.Range(0, InFlight).Select(async sender =>
        {
            // Every sender has subscriptions of its own.
            for (var i = sender; i < count; i += InFlight)
            {
                var user = i % Subscriptions;
                var command = new SendPush
                {
                    SubscriptionId = subscriptions[user],
                    UserId = UserOf(user),
                    MessageId = Guid.CreateVersion7(),
                    Payload = """{"notification":{"title":"One of very many","body":"A hundred characters or so, as most are: who wrote what, in which room, and when."}}""",
                    Urgency = "normal",
                    TtlSeconds = 86_400,
                    ExpiresAt = expires,
                };
                await lanes[Lanes.LaneOf($"{command.SubscriptionId}", LaneCount)].Send(command, Cancellation);
            }
        }));
        await bus.StopAsync(Cancellation);
    }

    private static async Task<(long Queued, long Unacknowledged)> CountAsync(RabbitMqBroker broker)
    {
        var queues = (await broker.Management.QueuesAsync()).Where(queue => queue.Name.StartsWith($"{Queues.SubscriptionSend}-", StringComparison.Ordinal)).ToList();
        return (queues.Sum(queue => queue.Messages ?? 0), queues.Sum(queue => queue.MessagesUnacknowledged ?? 0));
    }

    private static string UserOf(int user) => $"user-{user}";
}
