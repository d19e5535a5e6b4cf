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
using Notify.Tests.Store;

namespace Notify.IntegrationTests.Faults;

/// <summary>Very many pushes in the lanes of a broker of their own, for a worker that is started upon them.</summary>
internal sealed class QueuedPushes : IAsyncDisposable
{
    private const int LaneCount = 8;
    private const int Subscriptions = 1000;
    private const int InFlight = 1000;

    private readonly RabbitMqBroker _broker;
    private readonly TestDatabase _database;
    private readonly LocalPushServer _push;
    private readonly LocalUserAgent _agent;
    private readonly Task _reading;
    private List<Guid> _subscriptions = [];
    private int _received;

    private QueuedPushes(RabbitMqBroker broker, TestDatabase database, LocalPushServer push, LocalUserAgent agent)
    {
        (_broker, _database, _push, _agent) = (broker, database, push, agent);
        _agent.Decrypts = false;
        _reading = ReadAsync();
    }

    /// <summary>Pushes that have arrived.</summary>
    public int Received => Volatile.Read(ref _received);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A thousand subscriptions, and nothing queued yet.</summary>
    public static async Task<QueuedPushes> StartAsync(SharedDatabases databases)
    {
        var push = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, Cancellation);
        var queued = new QueuedPushes(
            await RabbitMqBroker.StartAsync(RabbitMqVersion.V4, Cancellation), (await databases.NewPostgreSqlAsync())!, push, await LocalUserAgent.ConnectAsync(push.Url, Cancellation));
        await using var first = await queued.StartWorkerAsync();
        queued._subscriptions = await SubscribeAsync(first.Url, queued._agent);
        await first.StopAsync();
        return queued;
    }

    /// <summary>Starts a worker, with these settings beside those that lead it here.</summary>
    public Task<WorkerProcess> StartWorkerAsync(params (string Name, string Value)[] settings) => WorkerProcess.StartAsync(
    [
        ("Notify__Transport", "RabbitMq"),
        ("ConnectionStrings__RabbitMq", $"{_broker.AmqpUri}"),
        ("Notify__Store", $"{StoreKind.PostgreSql}"),
        ("ConnectionStrings__Notify", _database.ConnectionString),
        ("Notify__LocalPushService__Url", _push.Url.GetLeftPart(UriPartial.Authority)),
        ("Notify__Sending__Partitions", $"{LaneCount}"),
        .. settings,
    ]);

    /// <summary>Queues so many pushes, and returns when all of them lie there.</summary>
    public async Task QueueAsync(int count)
    {
        await SendAsync($"{_broker.AmqpUri}", _subscriptions, count);
        await Eventually.GetAsync(CountAsync, seen => seen.Queued == count, TimeSpan.FromMinutes(5));
    }

    /// <summary>Pushes in the lanes, and those of them that a worker has taken.</summary>
    public async Task<(long Queued, long Unacknowledged)> CountAsync()
    {
        var queues = (await _broker.Management.QueuesAsync()).Where(queue => queue.Name.StartsWith($"{Queues.SubscriptionSend}-", StringComparison.Ordinal)).ToList();
        return (queues.Sum(queue => queue.Messages ?? 0), queues.Sum(queue => queue.MessagesUnacknowledged ?? 0));
    }

    /// <summary>Waits until so many have arrived in all.</summary>
    public Task ReceivedAsync(int count) => Eventually.GetAsync(() => Task.FromResult(Received), received => received >= count, TimeSpan.FromMinutes(10));

    public async ValueTask DisposeAsync()
    {
        await _agent.DisposeAsync();
        await _reading;
        await _push.DisposeAsync();
        await _broker.DisposeAsync();
    }

    private async Task ReadAsync()
    {
        await foreach (var _ in _agent.Received.ReadAllAsync(CancellationToken.None))
        {
            Interlocked.Increment(ref _received);
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

    private static string UserOf(int user) => $"user-{user}";
}
