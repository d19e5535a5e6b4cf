using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using MassTransit;
using RabbitMQ.Client;

namespace Notify.Messaging.RabbitMq;

/// <summary>Where the broker is: the connection string <c>RabbitMq</c>, an AMQP URI, or several with commas between them for the nodes of a cluster.</summary>
internal sealed class RabbitMqAddress
{
    /// <summary>Name of the connection string.</summary>
    public const string ConnectionName = "RabbitMq";

    public const string Default = "amqp://guest:guest@localhost:5672/";

    // What brokers before RabbitMQ 4 take. The client's own limit, 64 MiB, ends the connection for whoever gets more, again and again; what is too large for an event goes to the error queue. Of
    // several nodes MassTransit makes the endpoints, with the client's limit.
    private const uint LargestBody = 128 * 1024 * 1024;

    private const int DefaultPort = 5672;
    private const int DefaultTlsPort = 5671;

    private RabbitMqAddress(IReadOnlyList<Uri> nodes) => Nodes = nodes;

    /// <summary>One or more; user, password and virtual host are those of the first.</summary>
    public IReadOnlyList<Uri> Nodes { get; }

    /// <exception cref="FormatException">It is no such URI; the message says what to write and holds nothing of it.</exception>
    public static RabbitMqAddress Parse(string? connectionString)
    {
        var nodes = (string.IsNullOrWhiteSpace(connectionString) ? Default : connectionString)
            .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(node => Uri.TryCreate(node, UriKind.Absolute, out var uri) && uri.Scheme is "amqp" or "amqps" && uri.Host.Length > 0 && uri.UserInfo.Count(character => character == ':') <= 1 ? uri : null)
            .ToList();
        return nodes is [] || nodes.Contains(null)
            ? throw new FormatException($"ConnectionStrings__{ConnectionName} must be a URI such as amqp://user:password@host:5672/virtualhost (amqps:// for TLS), or several with commas between them for the nodes of a cluster. A colon or another special character in the password is written as %3A and so on.")
            : new RabbitMqAddress([.. nodes.OfType<Uri>()]);
    }

    /// <summary>Points a bus there.</summary>
    public void Configure(IRabbitMqBusFactoryConfigurator bus) => bus.Host(Nodes[0], host =>
    {
        host.OnRefreshConnectionFactory = factory =>
        {
            factory.SocketFactory = BrokerTcpClient.Create;
            factory.MaxInboundMessageBodySize = LargestBody;
            return Task.CompletedTask;
        };
        if (IsTls(Nodes[0]))
        {
            host.UseSsl(ssl =>
            {
                ssl.Protocol = SslProtocols.None;
                ssl.ServerName = Nodes[0].Host;
                ssl.CertificateValidationCallback = IsOfNode;
            });
        }

        if (Nodes.Count > 1)
        {
            host.UseCluster(cluster =>
            {
                foreach (var node in Nodes)
                {
                    cluster.Node($"{node.Host}:{PortOf(node)}");
                }
            });
        }
    });

    /// <summary>Whether a certificate is valid, and that of one of the nodes. MassTransit asks each node for the first one's, and by its own settings would take any that nobody has vouched for.</summary>
    internal bool IsOfNode(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) =>
        errors == SslPolicyErrors.None
        || (errors == SslPolicyErrors.RemoteCertificateNameMismatch && certificate is X509Certificate2 named && Nodes.Any(node => named.MatchesHostname(node.IdnHost)));

    /// <summary>A connection of our own, besides the bus's; one that is lost stays so.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="name">What the broker shows of it; null for nothing.</param>
    /// <exception cref="RabbitMQ.Client.Exceptions.BrokerUnreachableException">No node answers, or none takes the user or the virtual host.</exception>
    public Task<IConnection> ConnectAsync(CancellationToken cancellationToken, string? name = null) =>
        new ConnectionFactory { Uri = Nodes[0], AutomaticRecoveryEnabled = false, ClientProvidedName = name }.CreateConnectionAsync(
            Nodes.Select(node => new AmqpTcpEndpoint(node.Host, PortOf(node), new SslOption(node.Host, enabled: IsTls(Nodes[0])) { CertificateValidationCallback = IsOfNode }, LargestBody)), cancellationToken);

    /// <summary>What to tell whoever ran a command.</summary>
    public string CannotBeReached => $"RabbitMQ cannot be reached at {this}, or refuses the user or the virtual host. Set ConnectionStrings__RabbitMq, or start the broker.";

    /// <summary>Host and port of every node, fit for a log.</summary>
    public override string ToString() => string.Join(", ", Nodes.Select(node => $"{node.Host}:{PortOf(node)}"));

    internal static int PortOf(Uri node) => node.Port > 0 ? node.Port : IsTls(node) ? DefaultTlsPort : DefaultPort;

    private static bool IsTls(Uri node) => node.Scheme == "amqps";
}
