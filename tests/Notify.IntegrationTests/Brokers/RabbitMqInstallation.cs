namespace Notify.IntegrationTests.Brokers;

/// <summary>
/// Where a version's programs are: <see cref="Server"/> is its start script as seen from <see cref="Root"/>, the folder it is run in by
/// chroot; an empty root is the machine's own.
/// </summary>
internal sealed record RabbitMqInstallation(string Root, string Server)
{
    /// <summary>The version's programs; skips the test where they are not installed (fails with NOTIFY_TEST_REQUIRE_ALL=1).</summary>
    public static RabbitMqInstallation Find(RabbitMqVersion version)
    {
        var (root, series, missing) = version switch
        {
            RabbitMqVersion.V3 => ("", "3.*", "RabbitMQ 3 is not installed: apt-get install -y --no-install-recommends rabbitmq-server"),
            _ => ("/var/lib/notify-test/rabbitmq-4", "4.*", "RabbitMQ 4 is not installed: apt-get install -y debootstrap && tests/install-rabbitmq-4"),
        };
        var library = $"{root}/usr/lib/rabbitmq/lib";
        var home = Directory.Exists(library) ? Directory.EnumerateDirectories(library, $"rabbitmq_server-{series}").FirstOrDefault() : null;
        if (home is not null && (root.Length == 0 || Environment.IsPrivilegedProcess))
            return new RabbitMqInstallation(root, $"{home[root.Length..]}/sbin/rabbitmq-server");

        var reason = home is null ? missing : "RabbitMQ 4 is run by chroot: run the tests as root";
        if (Environment.GetEnvironmentVariable("NOTIFY_TEST_REQUIRE_ALL") == "1")
            Assert.Fail(reason);
        Assert.Skip(reason);
        return null;
    }
}
