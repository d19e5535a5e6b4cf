using System.IO.Pipelines;
using System.Net.Sockets;
using RabbitMQ.Client;

namespace Notify.Messaging.RabbitMq;

/// <summary>A connection to the broker that (1) sends many commands in one go where many are written, and (2) once it is lost, takes what is written to it and discards it.</summary>
/// <remarks>
/// <para>(1) RabbitMQ.Client has the kernel send each command by itself, and wakes the broker for each, however many it has to write.</para>
/// <para>(2) It stops to write at the first error and takes 128 more commands; whoever brings the next one waits for the connection to be closed. But it is closed only when
/// every message under way has ended, and those are the ones that wait: a worker with many in flight stood still for ever when its broker was killed
/// (rabbitmq-dotnet-client issue 1930). What was written before the loss was noticed may be lost all the same; that is what confirms are for. Lost it is when the other side ends it, or the kernel
/// gives it up: a broker that is silent may come back.</para>
/// </remarks>
internal sealed class BrokerTcpClient(Socket socket) : TcpClientAdapter(socket)
{
    /// <summary>For <see cref="ConnectionFactoryBase.SocketFactory"/>.</summary>
    public static ITcpClient Create(AddressFamily family) => new BrokerTcpClient(new Socket(family, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });

    public override NetworkStream GetStream() => new BrokerStream(Client);

    private sealed class BrokerStream : NetworkStream
    {
        private const int MostUnsent = 256 * 1024;

        // For what is still to be sent when it is closed, such as the answer to the broker's own closing of it.
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

        private readonly Pipe _unsent = new(new PipeOptions(pauseWriterThreshold: MostUnsent, resumeWriterThreshold: MostUnsent / 2, minimumSegmentSize: MostUnsent / 4, useSynchronizationContext: false));
        private readonly SemaphoreSlim _writing = new(1);
        private readonly CancellationTokenSource _lost = new();
        private readonly Task _sending;

        public BrokerStream(Socket socket)
            : base(socket)
        {
            using (ExecutionContext.SuppressFlow())
            {
                _sending = Task.Run(SendAsync);
            }
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = 0;
            try
            {
                read = await base.ReadAsync(buffer, cancellationToken);
            }
            finally
            {
                if (cancellationToken.IsCancellationRequested)
                {
                    // The client reads no more, so none else would learn of a loss.
                    _lost.CancelAfter(Patience);
                }
                else if (read == 0 && buffer.Length > 0)
                {
                    // Nobody takes any more of what is being written.
                    await _lost.CancelAsync();
                }
            }

            return read;
        }

        // (2) A pipe whose reader has ended discards what it is given. It takes one writer at a time, and TLS may have something to say while the client writes.
        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await _writing.WaitAsync(cancellationToken);
            try
            {
                await _unsent.Writer.WriteAsync(buffer, cancellationToken);
            }
            finally
            {
                _writing.Release();
            }
        }

        public override async ValueTask DisposeAsync()
        {
            await _unsent.Writer.CompleteAsync();
            await _sending.WaitAsync(Patience, TimeProvider.System).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await base.DisposeAsync();
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _unsent.Writer.Complete();
                _lost.Cancel();
            }

            base.Dispose(disposing);
        }

        // (1) Whatever was written since the last time.
        private async Task SendAsync()
        {
            try
            {
                ReadResult unsent;
                do
                {
                    unsent = await _unsent.Reader.ReadAsync(_lost.Token);
                    foreach (var part in unsent.Buffer)
                    {
                        await base.WriteAsync(part, _lost.Token);
                    }

                    _unsent.Reader.AdvanceTo(unsent.Buffer.End);
                }
                while (!unsent.IsCompleted);
            }
            catch (Exception exception) when (exception is IOException or ObjectDisposedException or OperationCanceledException)
            {
                // Reading tells of the loss.
            }
            finally
            {
                await _unsent.Reader.CompleteAsync();
            }
        }
    }
}
