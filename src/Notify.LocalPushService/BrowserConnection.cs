using System.Buffers;
using System.Net.WebSockets;
using System.Text.Json;
using System.Threading.Channels;

namespace Notify.LocalPushService;

/// <summary>
/// One WebSocket of a user agent, in Mozilla's client protocol. All sends go through one queue and one loop, so replies and
/// push messages keep their order; a user agent that lets the queue fill up is cut off and gets the rest when it returns.
/// </summary>
internal sealed class BrowserConnection(WebSocket socket, SubscriptionStore store)
{
    private const int MaxMessageLength = 256 * 1024;
    private const int MaxQueued = 65_536;
    private static readonly TimeSpan s_closeTimeout = TimeSpan.FromSeconds(5);

    private readonly Channel<Outgoing> _outgoing = Channel.CreateBounded<Outgoing>(new BoundedChannelOptions(MaxQueued) { SingleReader = true });
    private (WebSocketCloseStatus Status, string Reason)? _close;
    private volatile bool _peerClosed;
    private UserAgent? _userAgent;

    public async Task RunAsync()
    {
        Task sending = SendAllAsync();
        Task receiving = ReceiveAllAsync();
        if (await Task.WhenAny(sending, receiving) == sending)
        {
            // This side closed first: the peer gets a moment to answer.
            await Task.WhenAny(receiving, Task.Delay(s_closeTimeout));
            socket.Abort();
        }

        await Task.WhenAll(sending, receiving);
    }

    public void Send(ReadOnlyMemory<byte> reply) => Enqueue(new Outgoing(null, reply));

    public void Send(StoredPush push) => Enqueue(new Outgoing(push, default));

    public void CloseAsReplaced() => Close(WebSocketCloseStatus.PolicyViolation, "replaced by a newer connection");

    public void CloseAsGoingAway() => Close(WebSocketCloseStatus.EndpointUnavailable, "going away");

    private void Enqueue(Outgoing outgoing)
    {
        if (!_outgoing.Writer.TryWrite(outgoing) && _outgoing.Reader.Count >= MaxQueued)
        {
            _outgoing.Writer.TryComplete();
            socket.Abort();
        }
    }

    private void Close(WebSocketCloseStatus status, string reason)
    {
        lock (_outgoing)
        {
            _close ??= (status, reason);
        }

        _outgoing.Writer.TryComplete();
    }

    private async Task SendAllAsync()
    {
        try
        {
            var buffer = new ArrayBufferWriter<byte>(8192);
            using var writer = new Utf8JsonWriter(buffer);
            await foreach (Outgoing outgoing in _outgoing.Reader.ReadAllAsync())
            {
                if (_peerClosed)
                {
                    continue;
                }

                ReadOnlyMemory<byte> message = outgoing.Reply;
                if (outgoing.Push is { } push)
                {
                    buffer.ResetWrittenCount();
                    writer.Reset();
                    BrowserMessages.WriteNotification(writer, push);
                    message = buffer.WrittenMemory;
                }

                await socket.SendAsync(message, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
            }

            (WebSocketCloseStatus status, string reason) = _close ?? (WebSocketCloseStatus.NormalClosure, "");
            await socket.CloseOutputAsync(status, reason, CancellationToken.None);
        }
        catch (Exception e) when (IsConnectionLost(e))
        {
            socket.Abort();
        }
    }

    private async Task ReceiveAllAsync()
    {
        try
        {
            using var reader = new MessageReader(socket, MaxMessageLength);
            while (true)
            {
                (WebSocketMessageType? type, ReadOnlyMemory<byte> message) = await reader.ReadAsync(CancellationToken.None);
                if (type == WebSocketMessageType.Close)
                {
                    break;
                }

                if (_close is not null)
                {
                    continue;
                }

                if (type is null)
                {
                    Close(WebSocketCloseStatus.MessageTooBig, "message too long");
                    return;
                }

                if (type != WebSocketMessageType.Text || !TryHandle(message))
                {
                    Close(WebSocketCloseStatus.InvalidPayloadData, "malformed message");
                }
            }
        }
        catch (Exception e) when (IsConnectionLost(e))
        {
            socket.Abort();
        }
        finally
        {
            // Detached before the close is answered: who has seen the answer knows that from now on pushes are stored.
            _peerClosed = true;
            _userAgent?.Detach(this);
            _outgoing.Writer.TryComplete();
        }
    }

    private bool TryHandle(ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(utf8);
            JsonElement message = document.RootElement;
            if (message.ValueKind != JsonValueKind.Object)
            {
                return false;
            }

            string? type = message.TryGetProperty("messageType", out JsonElement value) ? value.GetString() : "ping";
            return (type, _userAgent) switch
            {
                ("ping", _) => Pong(),
                ("hello", null) => Hello(message),
                ("register", { } userAgent) => Register(userAgent, message),
                ("unregister", { } userAgent) => Unregister(userAgent, message),
                ("ack", { } userAgent) => Acknowledge(userAgent, message),
                ("nack", { }) => Nack(message),
                ("broadcast_subscribe", { }) => true,
                _ => false,
            };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            // Not JSON, or a member of another kind than the protocol's, or a number that is no int.
            return false;
        }
    }

    private bool Pong()
    {
        Send(BrowserMessages.Ping);
        return true;
    }

    private bool Hello(JsonElement message)
    {
        _userAgent = store.Greet(BrowserMessages.Text(message, "uaid"));
        _userAgent.Attach(this, BrowserMessages.Hello(_userAgent.Id));
        return true;
    }

    private bool Register(UserAgent userAgent, JsonElement message)
    {
        if (!BrowserMessages.TryReadChannel(message, out string? channelId))
        {
            return false;
        }

        Send(BrowserMessages.TryReadKey(message, out byte[]? key)
            ? BrowserMessages.Registered(channelId, userAgent.Register(channelId, key).Endpoint)
            : BrowserMessages.NotRegistered(channelId));
        return true;
    }

    private bool Unregister(UserAgent userAgent, JsonElement message)
    {
        if (!BrowserMessages.TryReadChannel(message, out string? channelId))
        {
            return false;
        }

        userAgent.Unregister(channelId);
        Send(BrowserMessages.Unregistered(channelId));
        return true;
    }

    private bool Acknowledge(UserAgent userAgent, JsonElement message)
    {
        if (!message.TryGetProperty("updates", out JsonElement updates) || updates.ValueKind != JsonValueKind.Array)
        {
            return false;
        }

        foreach (JsonElement update in updates.EnumerateArray())
        {
            if (BrowserMessages.Text(update, "channelID") is not { } channelId || BrowserMessages.Text(update, "version") is not { } version)
            {
                return false;
            }

            // Older user agents send no code and mean delivered.
            int code = update.TryGetProperty("code", out JsonElement value) ? value.GetInt32() : 100;
            userAgent.Acknowledge(channelId, version);
            store.Counters.Acknowledged(code);
        }

        return true;
    }

    private bool Nack(JsonElement message)
    {
        store.Counters.Acknowledged(message.TryGetProperty("code", out JsonElement code) ? code.GetInt32() : 0);
        return true;
    }

    private static bool IsConnectionLost(Exception e) =>
        e is WebSocketException or IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException;

    private readonly record struct Outgoing(StoredPush? Push, ReadOnlyMemory<byte> Reply);
}
