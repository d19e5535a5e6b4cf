using System.Globalization;
using System.Net.Sockets;

namespace Notify.IntegrationTests.Brokers;

/// <summary>
/// Erlang's port mapper (epmd), by which nodes find each other. Left alone, the first node starts one for the whole machine that stays;
/// this one serves one broker or cluster, and ends with it.
/// </summary>
internal sealed class PortMapper : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-epmd-");
    private readonly LeashedProcess _process;

    private PortMapper(RabbitMqInstallation installation, int port)
    {
        Port = port;
        _process = LeashedProcess.Start(installation, _folder.FullName, "epmd", Environment);
    }

    public int Port { get; }

    /// <summary>What makes an Erlang program use this one.</summary>
    public IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>
    {
        ["ERL_EPMD_PORT"] = Port.ToString(CultureInfo.InvariantCulture),
        ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
    };

    /// <summary>Starts one and waits until it answers; an IOException says that the port was taken.</summary>
    public static async Task<PortMapper> StartAsync(RabbitMqInstallation installation, int port, CancellationToken ct)
    {
        var mapper = new PortMapper(installation, port);
        try
        {
            while (!await mapper.AnswersAsync(ct))
            {
                if (mapper._process.HasExited)
                    throw new IOException($"epmd ended: {await File.ReadAllTextAsync(Path.Combine(mapper._folder.FullName, "output"), ct)}");
                await Task.Delay(20, ct);
            }
            return mapper;
        }
        catch
        {
            await mapper.DisposeAsync();
            throw;
        }
    }

    private async Task<bool> AnswersAsync(CancellationToken ct)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", Port, ct);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _process.EndAsync("KILL", Patience);
        _process.Dispose();
        _folder.Delete(recursive: true);
    }
}
