using System.Net;
using System.Net.Sockets;

namespace Notify.WebPush.Tests.Support;

/// <summary>Takes connections on loopback and does with each what a test wants: for answers that no HTTP server would give.</summary>
internal sealed class RawServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _accepting;

    internal RawServer(Func<Socket, CancellationToken, Task> serve)
    {
        _listener.Start();
        _accepting = AcceptAsync(serve);
    }

    internal string Origin => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    internal static async Task ReadRequestAsync(Socket socket, CancellationToken cancellationToken)
    {
        // Head and body of a request without content; the head ends with an empty line.
        var received = new List<byte>();
        var buffer = new byte[4096];
        while (!received.ToArray().AsSpan().EndsWith("\r\n\r\n"u8))
        {
            var read = await socket.ReceiveAsync(buffer, cancellationToken);
            if (read == 0)
            {
                return;
            }

            received.AddRange(buffer[..read]);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _accepting;
        _listener.Stop();
        _stopping.Dispose();
    }

    private async Task AcceptAsync(Func<Socket, CancellationToken, Task> serve)
    {
        try
        {
            while (!_stopping.IsCancellationRequested)
            {
                using var socket = await _listener.AcceptSocketAsync(_stopping.Token);
                await serve(socket, _stopping.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }
}
