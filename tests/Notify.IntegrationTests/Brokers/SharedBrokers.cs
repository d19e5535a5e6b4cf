using Notify.IntegrationTests.Brokers;

[assembly: AssemblyFixture(typeof(SharedBrokers))]

namespace Notify.IntegrationTests.Brokers;

/// <summary>
/// One broker of each version for all tests that need no more than a virtual host of their own: started when first asked for, ended with
/// the run. A test class gets it as a parameter of its constructor. Never kill one of them.
/// </summary>
public sealed class SharedBrokers : IAsyncDisposable
{
    private readonly Dictionary<RabbitMqVersion, Lazy<Task<RabbitMqBroker>>> _brokers = Enum.GetValues<RabbitMqVersion>().ToDictionary(
        version => version,
        // Not for the one test that came first: its end must not end the others' broker.
        version => new Lazy<Task<RabbitMqBroker>>(() => RabbitMqBroker.StartAsync(version, CancellationToken.None)));

    /// <summary>The one broker of a version; or skips the test where that version is not installed.</summary>
    public Task<RabbitMqBroker> GetAsync(RabbitMqVersion version)
    {
        RabbitMqInstallation.Find(version);
        return _brokers[version].Value;
    }

    /// <summary>Makes an empty virtual host in it, and returns its AMQP URI, whose path is the virtual host's name.</summary>
    public async Task<Uri> NewVirtualHostAsync(RabbitMqVersion version)
    {
        var broker = await GetAsync(version);
        var name = $"test-{Guid.NewGuid():N}";
        await broker.Management.CreateVirtualHostAsync(name);
        return new Uri(broker.AmqpUri, name);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var started in _brokers.Values.Where(broker => broker.IsValueCreated && broker.Value.IsCompletedSuccessfully))
        {
            await (await started.Value).DisposeAsync();
        }
    }
}
