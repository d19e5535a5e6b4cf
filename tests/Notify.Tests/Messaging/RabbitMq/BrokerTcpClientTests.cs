using System.Net;
using System.Net.Sockets;
using Notify.Messaging.RabbitMq;
using RabbitMQ.Client;

namespace Notify.Tests.Messaging.RabbitMq;

public class DiscardingTcpClientTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_written_arrives_and_once_the_connection_is_lost_it_is_discarded()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = DiscardingTcpClient.Create(AddressFamily.InterNetwork);
        await client.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port, Cancellation);
        using var broker = await listener.AcceptSocketAsync(Cancellation);
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
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var client = DiscardingTcpClient.Create(AddressFamily.InterNetwork);
        await client.ConnectAsync(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port, Cancellation);
        using var broker = await listener.AcceptSocketAsync(Cancellation);
        await using var stream = client.GetStream();

        // More than any buffer on the way holds.
        var writing = stream.WriteAsync(new byte[100_000_000], Cancellation).AsTask();
        var reading = stream.ReadAsync(new byte[1], Cancellation).AsTask();
        Assert.False(writing.IsCompleted);
        broker.Close(timeout: 0);

        await writing;
        await Record.ExceptionAsync(() => reading);
    }
}
