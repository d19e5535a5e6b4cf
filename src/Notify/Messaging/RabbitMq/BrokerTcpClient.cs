using System.Net.Sockets;
using RabbitMQ.Client;

namespace Notify.Messaging.RabbitMq;

/// <summary>A connection to the broker that, once it is lost, takes what is written to it and discards it.</summary>
/// <remarks>
/// RabbitMQ.Client stops to write at the first error and takes 128 more frames; whoever brings the next one waits for the connection to be closed. But it is closed only when
/// every message under way has ended, and those are the ones that wait: a worker with many in flight stood still for ever when its broker was killed
/// (rabbitmq-dotnet-client issue 1930). What was written before the loss was noticed may be lost all the same; that is what confirms are for.
/// </remarks>
internal sealed class DiscardingTcpClient(Socket socket) : TcpClientAdapter(socket)
{
    /// <summary>For <see cref="ConnectionFactoryBase.SocketFactory"/>.</summary>
    public static ITcpClient Create(AddressFamily family) => new DiscardingTcpClient(new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });

    public override NetworkStream GetStream() => new DiscardingStream(Client);

    private sealed class DiscardingStream(Socket socket) : NetworkStream(socket)
    {
        private readonly CancellationTokenSource _lost = new();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = 0;
            try
            {
                read = await base.ReadAsync(buffer, cancellationToken);
            }
            finally
            {
                if (read == 0 && buffer.Length > 0 && !cancellationToken.IsCancellationRequested)
                {
                    // Nobody takes any more of what is being written.
                    await _lost.CancelAsync();
                }
            }

            return read;
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_lost.IsCancellationRequested)
            {
                return;
            }

            using var either = CancellationTokenSource.CreateLinkedTokenSource(_lost.Token, cancellationToken);
            try
            {
                await base.WriteAsync(buffer, either.Token);
            }
            catch (Exception exception) when (exception is IOException or ObjectDisposedException || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                // Reading tells of the loss.
                await _lost.CancelAsync();
            }
        }
    }
}
