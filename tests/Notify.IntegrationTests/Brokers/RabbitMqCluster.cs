namespace Notify.IntegrationTests.Brokers;

/// <summary>Three brokers of version 4 that are one cluster. Each can be killed and started again.</summary>
public sealed class RabbitMqCluster : IAsyncDisposable
{
    private const int Size = 3;

    private readonly PortMapper _portMapper;
    private readonly List<RabbitMqBroker> _nodes = [];

    private RabbitMqCluster(PortMapper portMapper) => _portMapper = portMapper;

    /// <summary>The members.</summary>
    public IReadOnlyList<RabbitMqBroker> Nodes => _nodes;

    /// <summary>Starts them and waits until all are running members; or skips the test where version 4 is not installed.</summary>
    public static Task<RabbitMqCluster> StartAsync(CancellationToken ct)
    {
        var installation = RabbitMqInstallation.Find(RabbitMqVersion.V4);
        return LoopbackPorts.UseAsync(1 + (Size * RabbitMqNode.PortCount), async ports =>
        {
            // Nodes of one cluster find each other by one port mapper.
            var cluster = new RabbitMqCluster(await PortMapper.StartAsync(installation, ports[0], ct));
            try
            {
                var cookie = RabbitMqNode.NewCookie();
                RabbitMqNode[] members = [.. ports[1..].Chunk(RabbitMqNode.PortCount).Select(each => new RabbitMqNode(cookie, each))];
                foreach (var member in members)
                    cluster._nodes.Add(await RabbitMqBroker.CreateMemberAsync(RabbitMqVersion.V4, installation, member, members, cluster._portMapper, ct));
                await Task.WhenAll(cluster._nodes.Select(node => node.StartAgainAsync(ct)));
                foreach (var node in cluster._nodes)
                    await node.WaitUntilMembersRunAsync(Size, ct);
                return cluster;
            }
            catch
            {
                await cluster.DisposeAsync();
                throw;
            }
        });
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_nodes.Select(node => node.DisposeAsync().AsTask()));
        await _portMapper.DisposeAsync();
    }
}
