using System.Buffers;
using System.Net.WebSockets;

namespace Notify.LocalPushService;

/// <summary>Reads whole text messages from a WebSocket into one pooled buffer.</summary>
internal sealed class MessageReader(WebSocket socket, int maxLength) : IDisposable
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(8192);

    /// <summary>
    /// The next message, good until the next call. <see cref="WebSocketMessageType.Close"/> when the peer closes;
    /// <see cref="WebSocketMessageType.Binary"/> for a message that is not text; null type when it is too long.
    /// </summary>
    public async ValueTask<(WebSocketMessageType? Type, ReadOnlyMemory<byte> Message)> ReadAsync(CancellationToken ct)
    {
        int length = 0;
        while (true)
        {
            if (length == _buffer.Length)
            {
                if (length >= maxLength)
                {
                    return (null, default);
                }

                byte[] larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
                _buffer.CopyTo(larger, 0);
                ArrayPool<byte>.Shared.Return(_buffer);
                _buffer = larger;
            }

            ValueWebSocketReceiveResult result = await socket.ReceiveAsync(_buffer.AsMemory(length), ct);
            length += result.Count;
            if (result.EndOfMessage || result.MessageType == WebSocketMessageType.Close)
            {
                return (result.MessageType, _buffer.AsMemory(0, length));
            }
        }
    }

    public void Dispose() => ArrayPool<byte>.Shared.Return(_buffer);
}
