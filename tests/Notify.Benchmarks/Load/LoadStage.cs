using System.Buffers.Text;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Notify.Contracts;
using Notify.IntegrationTests.Brokers;
using Notify.IntegrationTests.Databases;
using Notify.IntegrationTests.RabbitMq;
using Notify.Store;
using Notify.Subscriptions;
using Notify.Tests;
using Notify.WebPush;
using RabbitMQ.Client;

namespace Notify.Benchmarks.Load;

/// <summary>
/// Everything that a worker works with, on this machine and in processes of their own: RabbitMQ, PostgreSQL with subscriptions in it, push services; and a publisher in
/// this process, which sends events as plain JSON and has each confirmed.
/// </summary>
internal sealed class LoadStage : IAsyncDisposable
{
    /// <summary>The queue that the worker for Node reads.</summary>
    public const string NodeQueue = "node-worker";

    private const string EventExchange = "Notify.Contracts:MessagePosted";

    private static readonly string NodeScript = Path.Combine(Repository.Root, "tests/Notify.Benchmarks/node/worker.mjs");

    private readonly VapidKeyPair _keys = VapidKeyPair.Generate();
    private readonly RabbitMqBroker _broker;
    private readonly PostgreSqlServer _server;
    private readonly string _database;
    private readonly IConnection _connection;

    private LoadStage(RabbitMqBroker broker, PostgreSqlServer server, string database, NginxPushService push, IConnection connection) =>
        (_broker, _server, _database, Push, _connection) = (broker, server, database, push, connection);

    /// <summary>The push services.</summary>
    public NginxPushService Push { get; }

    /// <summary>Users in the store, named user-0 and so on.</summary>
    public int Users { get; private set; }

    /// <summary>Subscriptions of each user.</summary>
    public int PerUser { get; private set; }

    /// <summary>Lanes of the send stage.</summary>
    public int Lanes { get; set; } = 8;

    public static async Task<LoadStage> StartAsync(int users, int perUser, int pushServices = 1, bool mayFail = false)
    {
        var server = await PostgreSqlServer.StartAsync(CancellationToken.None);
        var broker = await RabbitMqBroker.StartAsync(RabbitMqVersion.V4, CancellationToken.None, asItComes: true);
        var connection = await new ConnectionFactory { Uri = broker.AmqpUri }.CreateConnectionAsync();
        var stage = new LoadStage(broker, server, await server.NewDatabaseAsync(), await NginxPushService.StartAsync(pushServices, mayFail), connection);
        await using var db = stage.OpenStore();
        await db.Database.MigrateAsync();
        await stage.SubscribeAsync(users, perUser);
        return stage;
    }

    /// <summary>Adds subscriptions until there are so many users, each with so many.</summary>
    public async Task SubscribeAsync(int users, int perUser)
    {
        PerUser = perUser;
        var now = DateTimeOffset.UtcNow;
        for (; Users < users; Users++)
        {
            await using var db = OpenStore();
            for (var end = Math.Min(users, Users + 500); Users < end; Users++)
            {
                for (var i = 0; i < perUser; i++)
                {
                    db.Subscriptions.Add(NewSubscription(Users, i, now));
                }
            }

            Users--;
            await db.SaveChangesAsync();
        }
    }

    /// <summary>Starts a worker as it ships, with these settings beside those that lead it here.</summary>
    public Task<WorkerProcess> StartWorkerAsync(params (string Name, string Value)[] settings) => WorkerProcess.StartAsync([.. Settings, .. settings]);

    /// <summary>Starts one whose send stage has a consumer that does nothing.</summary>
    public Task<WorkerProcess> StartNothingAsync() => StartBuildAsync(typeof(LoadStage).Assembly.Location, NothingWorker.Command);

    /// <summary>Starts one of MassTransit as it comes, whose consumer does nothing either.</summary>
    public Task<WorkerProcess> StartPlainAsync() => StartBuildAsync(typeof(LoadStage).Assembly.Location, PlainWorker.Command);

    /// <summary>Starts a worker of another build.</summary>
    public Task<WorkerProcess> StartBuildAsync(string program, params string[] arguments) => StartAsync(Settings, program, arguments);

    /// <summary>Starts a worker of a build with the bus in memory, and its store in this file.</summary>
    public Task<WorkerProcess> StartEmbeddedAsync(string program, string database) =>
        StartAsync([.. PushSettings, ("Notify__Transport", "InMemory"), ("Notify__Store", "Sqlite"), ("ConnectionStrings__Notify", $"Data Source={database}")], program);

    /// <summary>Starts a worker in Node, of one of the kinds that worker.mjs tells of.</summary>
    public Task<WorkerProcess> StartNodeAsync(string job) => WorkerProcess.StartAsync(
    [
        "env", $"NODE_EXTRA_CA_CERTS={Push.CertificateFile}", $"AMQP={_broker.AmqpUri}", $"PG={NodeDatabase()}", $"QUEUE={NodeQueue}", $"JOB={job}",
        $"PUBLIC_KEY={_keys.PublicKey}", $"PRIVATE_KEY={_keys.PrivateKey}", "node", NodeScript,
    ]);

    /// <summary>Publishes so many events of so many recipients, of whom each is in turn; returns when all are confirmed.</summary>
    /// <param name="events">Events.</param>
    /// <param name="recipients">Recipients of each.</param>
    /// <param name="toNode">To the worker for Node instead of Notify.</param>
    public async Task PublishAsync(int events, int recipients, bool toNode = false)
    {
        await using var channel = await OpenChannelAsync();
        await Parallel.ForEachAsync(Enumerable.Range(0, events), new ParallelOptions { MaxDegreeOfParallelism = 100 }, (index, _) =>
            PublishAsync(channel, NewEvent([.. Enumerable.Range(index * recipients, recipients).Select(user => UserOf(user % Users))]), toNode));
    }

    /// <summary>Publishes events of ten recipients for so many pushes a second, each when it is due, whether or not others have arrived.</summary>
    /// <returns>When each was confirmed, by the topic of its pushes.</returns>
    public async Task<IReadOnlyDictionary<string, DateTimeOffset>> PublishAtAsync(double rate, int seconds)
    {
        await using var channel = await OpenChannelAsync();
        var events = (int)(rate * seconds / Measurement.Recipients / PerUser);
        var started = Stopwatch.GetTimestamp();
        var confirmed = new List<Task<(string Topic, DateTimeOffset At)>>();
        for (var index = 0; index < events; index++)
        {
            var due = TimeSpan.FromSeconds(index * (double)seconds / events) - Stopwatch.GetElapsedTime(started);
            if (due > TimeSpan.FromMilliseconds(1))
            {
                await Task.Delay(due);
            }

            confirmed.Add(PublishAsync(index * Measurement.Recipients));
        }

        return (await Task.WhenAll(confirmed)).ToDictionary(known => known.Topic, known => known.At);

        async Task<(string Topic, DateTimeOffset At)> PublishAsync(int first)
        {
            var posted = NewEvent([.. Enumerable.Range(first, Measurement.Recipients).Select(user => UserOf(user % Users))]);
            await LoadStage.PublishAsync(channel, posted);
            return (PushTopic.From($"{posted.MessageId}"), DateTimeOffset.UtcNow);
        }
    }

    /// <summary>A channel on which publishing returns with the confirm.</summary>
    public Task<IChannel> OpenChannelAsync() =>
        _connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true, outstandingPublisherConfirmationsRateLimiter: null));

    /// <summary>Publishes one event.</summary>
    public static ValueTask PublishAsync(IChannel channel, MessagePosted posted, bool toNode = false) => channel.BasicPublishAsync(
        toNode ? "" : EventExchange, toNode ? NodeQueue : "", mandatory: true, new BasicProperties { ContentType = "application/json", Persistent = true }, JsonSerializer.SerializeToUtf8Bytes(posted, JsonSerializerOptions.Web));

    /// <summary>An event as most are: a name, a line of text, a link.</summary>
    public static MessagePosted NewEvent(IReadOnlyList<string> recipients) => new()
    {
        MessageId = Guid.CreateVersion7(),
        ConversationId = $"room-{Random.Shared.Next(1000)}",
        RecipientIds = recipients,
        Title = "Ada Lovelace",
        Body = "A hundred characters or so, as most are: who wrote what, in which room, and when; the rest is a click away.",
        Url = "/rooms/1",
        PostedAt = DateTimeOffset.UtcNow,
        TtlSeconds = 86_400,
    };

    public static string UserOf(int user) => $"user-{user}";

    /// <summary>Processor seconds so far, by who used them.</summary>
    public Dictionary<string, double> Times(WorkerProcess worker) => new()
    {
        ["worker"] = ProcessTimes.Of(ProcessTimes.TreeOf(worker.Id)),
        ["broker"] = ProcessTimes.Of(ProcessTimes.WithEnvironment($"RABBITMQ_NODENAME={_broker.NodeName}")),
        ["database"] = ProcessTimes.Of(_server.Processes),
        ["push service"] = ProcessTimes.Of(Push.Processes),
        ["publisher"] = Environment.CpuUsage.TotalTime.TotalSeconds,
    };

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await Push.DisposeAsync();
        await _broker.DisposeAsync();
        await _server.DisposeAsync();
        _keys.Dispose();
    }

    private static Task<WorkerProcess> StartAsync((string Name, string Value)[] settings, string program, params string[] arguments) => WorkerProcess.StartAsync(
        ["env", .. settings.Select(setting => $"{setting.Name}={setting.Value}"), "ASPNETCORE_ENVIRONMENT=Development", "ASPNETCORE_URLS=http://127.0.0.1:0", "dotnet", program, .. arguments]);

    /// <summary>The subscriptions, for one who pushes to them without a worker.</summary>
    public async Task<(VapidKeyPair Keys, IReadOnlyList<PushSubscription> Subscriptions)> ReadSubscriptionsAsync()
    {
        await using var db = OpenStore();
        var rows = await db.Subscriptions.AsNoTracking().ToListAsync();
        return (_keys, rows.ConvertAll(row => PushSubscription.Create(row.Endpoint, row.P256dh, row.Auth)));
    }

    /// <summary>Copies the subscriptions into another store.</summary>
    public async Task CopySubscriptionsAsync(NotifyDbContext to)
    {
        await using var db = OpenStore();
        to.Subscriptions.AddRange(await db.Subscriptions.AsNoTracking().ToListAsync());
        await to.SaveChangesAsync();
    }

    /// <summary>The runtime as the image has it, for this program too where it is the worker; and whom to trust.</summary>
    public (string Name, string Value)[] Runtime =>
    [
        ("DOTNET_gcServer", "1"), ("DOTNET_ThreadPool_UnfairSemaphoreSpinLimit", "0"), ("DOTNET_SYSTEM_BUFFERS_SHAREDARRAYPOOL_MAXARRAYSPERPARTITION", "256"), ("SSL_CERT_FILE", Push.CertificateFile),
    ];

    /// <summary>What leads a worker here, without the bus and the store.</summary>
    public (string Name, string Value)[] PushSettings =>
    [
        ("Notify__Vapid__Subject", "mailto:load@example.com"),
        ("Notify__Vapid__PublicKey", _keys.PublicKey),
        ("Notify__Vapid__PrivateKey", _keys.PrivateKey),
        ("Notify__LocalPushService__Url", "http://127.0.0.1:0"),
        .. Runtime,
        .. Push.Origins.Select((origin, index) => ($"Notify__PushServices__Allowed__{index}", origin.GetLeftPart(UriPartial.Authority))),
    ];

    private (string Name, string Value)[] Settings =>
    [
        ("Notify__Transport", "RabbitMq"),
        ("ConnectionStrings__RabbitMq", $"{_broker.AmqpUri}"),
        ("Notify__Store", "PostgreSql"),
        ("ConnectionStrings__Notify", _database),
        ("Notify__Sending__Partitions", Lanes.ToString(CultureInfo.InvariantCulture)),
        .. PushSettings,
    ];

    private PostgreSqlNotifyDbContext OpenStore()
    {
        var options = new DbContextOptionsBuilder<PostgreSqlNotifyDbContext>();
        options.UseNotifyPostgreSql(_database);
        return new PostgreSqlNotifyDbContext(options.Options);
    }

    private string NodeDatabase()
    {
        var known = new Npgsql.NpgsqlConnectionStringBuilder(_database);
        return $"postgres://{known.Username}@{known.Host}:{known.Port}/{known.Database}";
    }

    private Subscription NewSubscription(int user, int index, DateTimeOffset now)
    {
        using var key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var q = key.ExportParameters(includePrivateParameters: false).Q;
        var endpoint = $"{Push.Origins[((user * PerUser) + index) % Push.Origins.Count]}p/{Convert.ToHexString(RandomNumberGenerator.GetBytes(32))}";
        return new Subscription
        {
            Id = Guid.CreateVersion7(now),
            UserId = UserOf(user),
            Endpoint = endpoint,
            EndpointDigest = EndpointDigests.Of(endpoint),
            P256dh = Base64Url.EncodeToString((byte[])[4, .. q.X!, .. q.Y!]),
            Auth = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)),
            ApplicationServerKey = _keys.PublicKey,
            CreatedAt = now,
        };
    }
}
