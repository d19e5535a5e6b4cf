using System.Globalization;
using System.Security.Cryptography;

namespace Notify.IntegrationTests.Brokers;

/// <summary>What one RabbitMQ node is given: its name, ports, files and environment. As it comes, or so that tests need not wait for its counts nor have it take much disk.</summary>
internal sealed class RabbitMqNode(string cookie, IReadOnlyList<int> ports, bool asItComes = false)
{
    /// <summary>How many ports a node takes.</summary>
    public const int PortCount = 3;

    public string Name { get; } = $"notify-{RandomNumberGenerator.GetHexString(8, lowercase: true)}@localhost";

    public int AmqpPort => ports[0];

    public int ManagementPort => ports[1];

    /// <summary>What nodes of one cluster have in common, and know each other by.</summary>
    public static string NewCookie() => RandomNumberGenerator.GetHexString(20);

    /// <summary>Writes its files; the members are those of its cluster, itself included, or none.</summary>
    public async Task WriteFilesAsync(string folder, IReadOnlyList<RabbitMqNode> members, CancellationToken ct)
    {
        var cookieFile = Path.Combine(folder, ".erlang.cookie");
        await File.WriteAllTextAsync(cookieFile, cookie, ct);
        // Erlang takes no cookie that others may read.
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(cookieFile, UnixFileMode.UserRead);
        await File.WriteAllTextAsync(Path.Combine(folder, "enabled_plugins"), "[rabbitmq_management].\n", ct);
        string[] configuration =
        [
            $"listeners.tcp.1 = 127.0.0.1:{AmqpPort}",
            "management.tcp.ip = 127.0.0.1",
            $"management.tcp.port = {ManagementPort}",
            "log.file.level = error",
            // A broker short of memory blocks its publishers, and a test would seem to have lost something.
            "vm_memory_high_watermark.absolute = 2GB",
            "disk_free_limit.absolute = 50MB",
            // Half a second instead of five, and 16 MB instead of 512.
            .. asItComes ? (string[])[] : ["collect_statistics_interval = 500", "raft.wal_max_size_bytes = 16777216"],
            "cluster_formation.peer_discovery_backend = classic_config",
            .. members.Select((member, index) => $"cluster_formation.classic_config.nodes.{index + 1} = {member.Name}"),
        ];
        await File.WriteAllLinesAsync(Path.Combine(folder, "rabbitmq.conf"), configuration, ct);
    }

    /// <summary>What rabbitmq-server reads from its environment; the folder is as that program sees it.</summary>
    public Dictionary<string, string> Environment(string folder, PortMapper portMapper) => new(portMapper.Environment)
    {
        ["RABBITMQ_NODENAME"] = Name,
        ["RABBITMQ_DIST_PORT"] = ports[2].ToString(CultureInfo.InvariantCulture),
        ["RABBITMQ_MNESIA_BASE"] = $"{folder}/data",
        ["RABBITMQ_LOG_BASE"] = $"{folder}/log",
        ["RABBITMQ_PID_FILE"] = $"{folder}/pid",
        ["RABBITMQ_CONFIG_FILE"] = $"{folder}/rabbitmq.conf",
        ["RABBITMQ_ENABLED_PLUGINS_FILE"] = $"{folder}/enabled_plugins",
        ["RABBITMQ_CONF_ENV_FILE"] = "/dev/null",
        // The script becomes the Erlang machine instead of staying its parent, so that a signal reaches the latter.
        ["RUNNING_UNDER_SYSTEMD"] = "1",
        ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] =
            "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}" + (asItComes ? "" : " -rabbit quorum_tick_interval 500"),
    };
}
