using System.Net;
using System.Net.Sockets;
using Notify.Messaging.RabbitMq;
using RabbitMQ.Client;

namespace Notify.Tests.Messaging.RabbitMq;

public class BrokerTcpClientTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_written_arrives_and_once_the_connection_is_lost_it_is_discarded()
    {
        using var connection = await Connection.OpenAsync();
        var (client, broker) = connection;
        await using var stream = client.GetStream();
        await using var plain = new TcpClientAdapter(client.Client).GetStream();

        await stream.WriteAsync("frame"u8.ToArray(), Cancellation);
        var received = new byte[5];
        await new NetworkStream(broker).ReadExactlyAsync(received, Cancellation);
        Assert.Equal("frame"u8.ToArray(), received);

        broker.Close(timeout: 0);
        await Assert.ThrowsAnyAsync<IOException>(async () => await stream.ReadExactlyAsync(received, Cancellation));
        for (var frame = 0; frame < 1_000; frame++)
        {
            await stream.WriteAsync(new byte[10_000], Cancellation);
        }

        // The client's own fails there.
        await Assert.ThrowsAsync<IOException>(async () => await plain.WriteAsync(new byte[10_000], Cancellation));
    }

    [Fact]
    public async Task A_write_that_nobody_takes_ends_when_the_connection_is_lost()
    {
        using var connection = await Connection.OpenAsync();
        var (client, broker) = connection;
        await using var stream = client.GetStream();

        // More than any buffer on the way holds.
        var writing = stream.WriteAsync(new byte[100_000_000], Cancellation).AsTask();
        var reading = stream.ReadAsync(new byte[1], Cancellation).AsTask();
        Assert.False(writing.IsCompleted);

        // Only reading tells of this.
        broker.Shutdown(SocketShutdown.Send);

        await writing.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        await Record.ExceptionAsync(() => reading);
    }

    [Fact]
    public async Task Frames_arrive_whole_and_in_their_order_however_many_are_sent_at_once()
    {
        using var connection = await Connection.OpenAsync();
        var (client, broker) = connection;
        await using var stream = client.GetStream();

        // Small ones, of which many share a send, and some that are larger than all that may wait.
        var random = new Random(1);
        var frames = Enumerable.Range(0, 5_000).Select(frame => new byte[frame % 1_000 == 999 ? 700_000 : random.Next(1, 2_000)]).ToList();
        frames.ForEach(random.NextBytes);
        var received = new byte[frames.Sum(frame => frame.Length)];
        var receiving = new NetworkStream(broker).ReadExactlyAsync(received, Cancellation);
        foreach (var frame in frames)
        {
            await stream.WriteAsync(frame, Cancellation);
        }

        await receiving;
        Assert.Equal(frames.SelectMany(frame => frame).ToArray(), received);
    }

    [Fact]
    public async Task A_write_that_nobody_takes_ends_when_the_client_reads_no_more()
    {
        using var connection = await Connection.OpenAsync();
        var (client, broker) = connection;
        await using var stream = client.GetStream();
        using var ended = new CancellationTokenSource();
        var writing = stream.WriteAsync(new byte[100_000_000], Cancellation).AsTask();
        var reading = stream.ReadAsync(new byte[1], ended.Token).AsTask();
        Assert.False(writing.IsCompleted);

        await ended.CancelAsync();

        await writing.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_written_before_it_is_closed_is_sent_where_it_is_taken(bool isTaken)
    {
        using var connection = await Connection.OpenAsync();
        var (client, broker) = connection;
        var stream = client.GetStream();
        var large = new byte[100_000_000];
        var writing = stream.WriteAsync(large, Cancellation).AsTask();
        Assert.False(writing.IsCompleted);

        var closing = stream.DisposeAsync();
        var reading = isTaken ? new NetworkStream(broker).ReadExactlyAsync(large, Cancellation) : default;
        await closing;
        client.Close();

        await reading;
        await writing;
    }

    /// <summary>The client and the other side, which reads and writes as a test has it.</summary>
    private sealed record Connection(ITcpClient Client, Socket Broker) : IDisposable
    {
        public static async Task<Connection> OpenAsync()
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var client = BrokerTcpClient.Create(AddressFamily.InterNetwork);
            await client.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port, Cancellation);
            return new Connection(client, await listener.AcceptSocketAsync(Cancellation));
        }

        public void Dispose()
        {
            Client.Dispose();
            Broker.Dispose();
        }
    }
}
