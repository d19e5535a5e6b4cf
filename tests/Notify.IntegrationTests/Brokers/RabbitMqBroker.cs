using System.Diagnostics;
using System.Text;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Notify.IntegrationTests.Brokers;

/// <summary>
/// A RabbitMQ of the tests' own: ports, data, cookie and port mapper are its own, and nothing of it is left when it is disposed or the tests
/// are killed. Of the plugins it has rabbitmq_management alone. It can be killed and started again on what it had written.
/// </summary>
public sealed class RabbitMqBroker : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-rabbitmq-");
    private readonly RabbitMqInstallation _installation;
    private readonly RabbitMqNode _node;
    private readonly PortMapper _portMapper;
    private readonly bool _ownsPortMapper;
    private LeashedProcess? _process;

    private RabbitMqBroker(RabbitMqVersion version, RabbitMqInstallation installation, RabbitMqNode node, PortMapper portMapper, bool ownsPortMapper)
    {
        (Version, _installation, _node, _portMapper, _ownsPortMapper) = (version, installation, node, portMapper, ownsPortMapper);
        AmqpUri = new Uri($"amqp://guest:guest@localhost:{node.AmqpPort}/");
        ManagementUri = new Uri($"http://localhost:{node.ManagementPort}/");
        Management = new RabbitMqManagement(ManagementUri);
    }

    /// <summary>Which RabbitMQ it is.</summary>
    public RabbitMqVersion Version { get; }

    /// <summary>Where AMQP clients, and MassTransit, connect, with user name and password; the virtual host is /.</summary>
    public Uri AmqpUri { get; }

    /// <summary>Where the management page and API are, for guest with the password guest.</summary>
    public Uri ManagementUri { get; }

    /// <summary>What it tells of its queues, exchanges and consumers.</summary>
    public RabbitMqManagement Management { get; }

    /// <summary>Its name as a member of a cluster, as in <see cref="QueueInfo.Leader"/>.</summary>
    public string NodeName => _node.Name;

    internal int PortMapperPort => _portMapper.Port;

    /// <summary>The folder that holds all it writes.</summary>
    public string Folder => _folder.FullName;

    /// <summary>Starts a broker, which takes some four seconds; or skips the test where that version is not installed.</summary>
    /// <param name="version">Which.</param>
    /// <param name="ct">Gives up.</param>
    /// <param name="asItComes">With the write-ahead log of quorum queues and the statistics that RabbitMQ has unless told otherwise, for those who measure it.</param>
    public static Task<RabbitMqBroker> StartAsync(RabbitMqVersion version, CancellationToken ct, bool asItComes = false)
    {
        var installation = RabbitMqInstallation.Find(version);
        return LoopbackPorts.UseAsync(1 + RabbitMqNode.PortCount, async ports =>
        {
            var portMapper = await PortMapper.StartAsync(installation, ports[0], ct);
            var node = new RabbitMqNode(RabbitMqNode.NewCookie(), ports[1..], asItComes);
            var broker = new RabbitMqBroker(version, installation, node, portMapper, ownsPortMapper: true);
            try
            {
                await node.WriteFilesAsync(broker.Folder, [], ct);
                await broker.StartAgainAsync(ct);
                return broker;
            }
            catch
            {
                await broker.DisposeAsync();
                throw;
            }
        });
    }

    /// <summary>A broker that becomes one of the members when it is first started, and leaves their port mapper to them.</summary>
    internal static async Task<RabbitMqBroker> CreateMemberAsync(
        RabbitMqVersion version,
        RabbitMqInstallation installation,
        RabbitMqNode node,
        IReadOnlyList<RabbitMqNode> members,
        PortMapper portMapper,
        CancellationToken ct)
    {
        var broker = new RabbitMqBroker(version, installation, node, portMapper, ownsPortMapper: false);
        await node.WriteFilesAsync(broker.Folder, members, ct);
        return broker;
    }

    /// <summary>
    /// Kills it as a crash would (kill -9), and waits until it is gone. A quorum queue of the last second would be lost, with its confirmed
    /// messages: <see cref="WaitUntilQueuesAreOnDiskAsync"/> first.
    /// </summary>
    public Task KillAsync() => EndAsync("KILL");

    /// <summary>Lets it shut down in order, and waits until it is gone.</summary>
    public Task StopAsync() => EndAsync("TERM");

    /// <summary>Shuts it down in order and starts it again.</summary>
    public async Task RestartAsync(CancellationToken ct)
    {
        await StopAsync();
        await StartAgainAsync(ct);
    }

    /// <summary>
    /// Starts it on its old data and ports after it was killed or stopped, and waits until it takes AMQP connections and the management API
    /// answers. Members of a cluster that were all down wait for each other: start them at the same time.
    /// </summary>
    public async Task StartAgainAsync(CancellationToken ct)
    {
        if (_process is not null)
            throw new InvalidOperationException("The broker runs: kill or stop it first.");
        var environment = _node.Environment(LeashedProcess.FolderSeenFrom(_installation, Folder), _portMapper);
        _process = LeashedProcess.Start(_installation, Folder, _installation.Server, environment);

        var started = Stopwatch.GetTimestamp();
        while (!await IsReadyAsync(ct))
        {
            if (_process.HasExited)
                throw new IOException($"RabbitMQ ended while it started. {LastWords()}");
            if (Stopwatch.GetElapsedTime(started) > Patience)
                throw new TimeoutException($"RabbitMQ did not become ready. {LastWords()}");
            await Task.Delay(Interval, ct);
        }
    }

    /// <summary>
    /// Waits until the quorum queues declared so far would survive a kill. The file by which a node finds their logs again (Ra's names.dets)
    /// is written up to a second after the declaration was confirmed; a queue that is not in it comes back empty or without a leader.
    /// </summary>
    public async Task WaitUntilQueuesAreOnDiskAsync(CancellationToken ct)
    {
        var file = Path.Combine(Folder, "data", NodeName, "quorum", NodeName, "names.dets");
        // An Erlang atom is written as its length and its text.
        var atoms = (await Management.QueuesAsync()).Where(queue => queue.Type == "quorum")
            .Select(queue => Encoding.UTF8.GetBytes($"{(queue.VirtualHost == "/" ? "%2F" : queue.VirtualHost)}_{queue.Name}"))
            .Select(text => (byte[])[(byte)text.Length, .. text]).ToList();
        while (await File.ReadAllBytesAsync(file, ct) is var written && !atoms.TrueForAll(atom => written.AsSpan().IndexOf(atom) >= 0))
            await Task.Delay(Interval, ct);
    }

    /// <summary>Waits until so many members of its cluster run, in its own opinion.</summary>
    public async Task WaitUntilMembersRunAsync(int count, CancellationToken ct)
    {
        while ((await Management.NodesAsync()).Count(node => node.Running) != count)
            await Task.Delay(Interval, ct);
    }

    // The management API answers while the start is still under way; that AMQP is open is nearly the end of it.
    private async Task<bool> IsReadyAsync(CancellationToken ct)
    {
        try
        {
            if (!await Management.AnswersAsync(ct))
                return false;
            await using var connection = await new ConnectionFactory { Uri = AmqpUri, AutomaticRecoveryEnabled = false }.CreateConnectionAsync(ct);
            return true;
        }
        catch (Exception exception) when (exception is HttpRequestException or BrokerUnreachableException)
        {
            return false;
        }
    }

    private string LastWords() =>
        string.Join('\n', Directory.EnumerateFiles(Folder, "output").Concat(Directory.EnumerateFiles(Folder, "*.log", SearchOption.AllDirectories))
            .Select(file => $"{file}:\n{string.Join('\n', File.ReadLines(file).TakeLast(40))}"));

    private async Task EndAsync(string signal)
    {
        if (_process is null)
            return;
        await _process.EndAsync(signal, Patience);
        _process.Dispose();
        _process = null;
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        if (_ownsPortMapper)
            await _portMapper.DisposeAsync();
        Management.Dispose();
        _folder.Delete(recursive: true);
    }
}
