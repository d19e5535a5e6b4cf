using System.Globalization;
using System.Text;
using Notify.Tests;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace Notify.IntegrationTests.Brokers;

[Collection("RabbitMQ")]
public class RabbitMqBrokerTests(SharedBrokers shared)
{
    private static readonly Dictionary<string, object?> Quorum = new() { ["x-queue-type"] = "quorum" };
    private static readonly Dictionary<string, object?> QuorumOneActive = new(Quorum) { ["x-single-active-consumer"] = true };

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RabbitMqVersion.V3, "3.")]
    [InlineData(RabbitMqVersion.V4, "4.")]
    public async Task Each_version_starts_with_the_management_plugin_alone(RabbitMqVersion version, string start)
    {
        var broker = await shared.GetAsync(version);

        Assert.StartsWith(start, await broker.Management.VersionAsync(), StringComparison.Ordinal);
        var nodes = await Eventually.GetAsync(broker.Management.NodesAsync, nodes => nodes is [{ EnabledPlugins: not null }]);
        Assert.Equal(["rabbitmq_management"], nodes[0].EnabledPlugins);
        Assert.Equal(broker.NodeName, nodes[0].Name);
    }

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task A_virtual_host_of_the_shared_broker_is_empty_and_shows_what_is_made_in_it(RabbitMqVersion version)
    {
        var uri = await shared.NewVirtualHostAsync(version);
        var management = (await shared.GetAsync(version)).Management;
        var virtualHost = uri.AbsolutePath[1..];
        Assert.Empty(await management.QueuesAsync(virtualHost));

        await using var connection = await ConnectAsync(uri);
        await using var channel = await OpenAsync(connection);
        await channel.ExchangeDeclareAsync("posts", "fanout", durable: true, cancellationToken: Ct);
        await channel.QueueDeclareAsync("lane", durable: true, exclusive: false, autoDelete: false, QuorumOneActive, cancellationToken: Ct);
        await channel.QueueBindAsync("lane", "posts", "key", cancellationToken: Ct);
        await channel.BasicPublishAsync("posts", "key", mandatory: true, Encoding.UTF8.GetBytes("one"), Ct);
        var waiting = await Eventually.GetAsync(() => management.QueuesAsync(virtualHost), queues => queues is [{ MessagesReady: 1 }]);
        var lane = Assert.Single(waiting);
        Assert.Equal(("lane", "quorum", 1L), (lane.Name, lane.Type, lane.Messages));
        Assert.True(lane.Arguments["x-single-active-consumer"].GetBoolean());

        // Neither acknowledges, so the message stays with the one that is active.
        var consumer = new AsyncEventingBasicConsumer(channel);
        await channel.BasicConsumeAsync("lane", false, "first", false, false, new Dictionary<string, object?> { ["x-priority"] = 7 }, consumer, Ct);
        await channel.BasicConsumeAsync("lane", false, "second", false, false, null, consumer, Ct);
        var consumers = await Eventually.GetAsync(() => management.ConsumersAsync(virtualHost), seen => seen is [{ Channel: not null }, { Channel: not null }]);
        Assert.Equal([("first", true, 7), ("second", false, null)], consumers.OrderBy(each => each.Tag).Select(each => (each.Tag, each.Active, each.Priority)));
        var held = await Eventually.GetAsync(() => management.QueuesAsync(virtualHost), queues => queues is [{ MessagesUnacknowledged: 1, Consumers: 2 }]);
        Assert.Equal(version == RabbitMqVersion.V3 ? null : "first", held[0].SingleActiveConsumerTag);

        Assert.Contains(await management.ExchangesAsync(virtualHost), each => each is { Name: "posts", Type: "fanout", Durable: true });
        Assert.Contains(await management.BindingsAsync(virtualHost), each => each is { Source: "posts", Destination: "lane", DestinationType: "queue", RoutingKey: "key" });
    }

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task A_durable_message_in_a_quorum_queue_survives_a_kill(RabbitMqVersion version)
    {
        await using var broker = await RabbitMqBroker.StartAsync(version, Ct);
        await PublishAsync(broker.AmqpUri, "kept");
        await broker.WaitUntilQueuesAreOnDiskAsync(Ct);

        await broker.KillAsync();
        await Assert.ThrowsAnyAsync<BrokerUnreachableException>(() => ConnectAsync(broker.AmqpUri));
        await broker.StartAgainAsync(Ct);
        Assert.Equal("kept", await TakeAsync(broker.AmqpUri));

        await PublishAsync(broker.AmqpUri, "kept again");
        await broker.RestartAsync(Ct);
        Assert.Equal("kept again", await TakeAsync(broker.AmqpUri));
    }

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task A_broker_runs_beside_another_of_its_version_and_leaves_nothing_behind(RabbitMqVersion version)
    {
        var other = await shared.GetAsync(version);
        var broker = await RabbitMqBroker.StartAsync(version, Ct);
        string[] processes;
        await using (broker)
        {
            await PublishAsync(broker.AmqpUri, "here");
            processes = [.. ProcessesOf(broker)];
            Assert.Contains("beam.smp", processes);
            Assert.Contains("epmd", processes);
            Assert.Single(await broker.Management.QueuesAsync("/"));
            Assert.Empty(await other.Management.QueuesAsync("/"));
        }

        await Eventually.GetAsync(() => Task.FromResult(ProcessesOf(broker).ToList()), left => left.Count == 0);
        Assert.False(Directory.Exists(broker.Folder));
        Assert.DoesNotContain("rabbitmq-4", await File.ReadAllTextAsync("/proc/self/mounts", Ct), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cluster_of_three_survives_a_kill_of_the_queues_leader()
    {
        await using var cluster = await RabbitMqCluster.StartAsync(Ct);
        Assert.Equal(3, cluster.Nodes.Count);
        await PublishAsync(cluster.Nodes[1].AmqpUri, "kept");
        var leader = Assert.Single(await cluster.Nodes[0].Management.QueuesAsync()).Leader;
        var killed = Assert.Single(cluster.Nodes, node => node.NodeName == leader);
        var survivor = cluster.Nodes.First(node => node != killed);

        await killed.KillAsync();
        await survivor.WaitUntilMembersRunAsync(2, Ct);
        await Eventually.GetAsync(() => survivor.Management.QueuesAsync(), queues => queues is [{ Leader: { } elected }] && elected != leader);
        Assert.Equal("kept", await TakeAsync(survivor.AmqpUri));

        await killed.StartAgainAsync(Ct);
        await survivor.WaitUntilMembersRunAsync(3, Ct);
    }

    private static Task<IConnection> ConnectAsync(Uri uri) => new ConnectionFactory { Uri = uri, AutomaticRecoveryEnabled = false }.CreateConnectionAsync(Ct);

    private static Task<IChannel> OpenAsync(IConnection connection) =>
        connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), Ct);

    // Returns when the broker has confirmed it.
    private static async Task PublishAsync(Uri uri, string text)
    {
        await using var connection = await ConnectAsync(uri);
        await using var channel = await OpenAsync(connection);
        await channel.QueueDeclareAsync("kept", durable: true, exclusive: false, autoDelete: false, Quorum, cancellationToken: Ct);
        await channel.BasicPublishAsync("", "kept", mandatory: true, new BasicProperties { Persistent = true }, Encoding.UTF8.GetBytes(text), Ct);
    }

    private static async Task<string> TakeAsync(Uri uri)
    {
        await using var connection = await ConnectAsync(uri);
        await using var channel = await OpenAsync(connection);
        var message = await Eventually.GetAsync(() => channel.BasicGetAsync("kept", autoAck: true, Ct), message => message is not null);
        return Encoding.UTF8.GetString(message!.Body.Span);
    }

    // All of a broker's processes have been given its port mapper's port, and no others.
    private static IEnumerable<string> ProcessesOf(RabbitMqBroker broker)
    {
        var mark = $"ERL_EPMD_PORT={broker.PortMapperPort.ToString(CultureInfo.InvariantCulture)}";
        foreach (var process in Directory.EnumerateDirectories("/proc").Where(folder => char.IsAsciiDigit(Path.GetFileName(folder)[0])))
        {
            string? name = null;
            try
            {
                if (File.ReadAllText($"{process}/environ").Split('\0').Contains(mark))
                    name = File.ReadAllText($"{process}/comm").Trim();
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It ended meanwhile, or is another user's.
            }
            if (name is not null)
                yield return name;
        }
    }
}
