using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text.Json;
using System.Threading.Channels;

namespace Notify.LocalPushService;

/// <summary>
/// A simulated user agent with real keys that speaks Mozilla's client protocol, as Firefox does: one connection, many
/// subscriptions. It decrypts and acknowledges each push message as it comes. Thread-safe.
/// </summary>
public sealed class LocalUserAgent : IAsyncDisposable
{
    private const int MaxMessageLength = 65_536;

    private readonly Uri _pushService;
    private readonly ConcurrentDictionary<string, LocalSubscription> _subscriptions = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<JsonElement>> _awaited = new();
    private readonly Channel<ReceivedPush> _received = Channel.CreateUnbounded<ReceivedPush>();
    private readonly SemaphoreSlim _sending = new(1);
    private ClientWebSocket _socket = new();
    private Task _receiving = Task.CompletedTask;

    private LocalUserAgent(Uri pushService) =>
        _pushService = new UriBuilder(pushService) { Scheme = pushService.Scheme is "https" or "wss" ? "wss" : "ws" }.Uri;

    /// <summary>The push messages in the order in which they came; completed when the user agent is disposed of.</summary>
    public ChannelReader<ReceivedPush> Received => _received.Reader;

    /// <summary>
    /// Whether it decrypts. Default true. Load tests may switch it off: <see cref="ReceivedPush.Content"/> is then the
    /// encrypted body, and all are acknowledged with code 100.
    /// </summary>
    public bool Decrypts { get; set; } = true;

    /// <summary>The push service's name for it, kept over reconnects.</summary>
    public string? Uaid { get; private set; }

    /// <summary>Connects a new user agent.</summary>
    /// <param name="pushService">As <see cref="LocalPushServer.Url"/>; <c>http</c> or <c>ws</c>.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="WebSocketException">There is no push service, or it does not speak the protocol.</exception>
    public static async Task<LocalUserAgent> ConnectAsync(Uri pushService, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(pushService);
        var userAgent = new LocalUserAgent(pushService);
        try
        {
            await userAgent.OpenAsync(ct);
            return userAgent;
        }
        catch
        {
            await userAgent.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a subscription, restricted to an application server key if one is given (RFC 8292, section 4).</summary>
    /// <param name="applicationServerKey">An uncompressed P-256 point of 65 bytes in base64url, or null.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="ArgumentException">The push service refused the key.</exception>
    /// <exception cref="WebSocketException">There is no connection.</exception>
    public async Task<LocalSubscription> SubscribeAsync(string? applicationServerKey, CancellationToken ct = default)
    {
        string channelId = Guid.NewGuid().ToString();
        JsonElement reply = await AskAsync(
            channelId,
            applicationServerKey is null
                ? new { messageType = "register", channelID = channelId }
                : new { messageType = "register", channelID = channelId, key = applicationServerKey },
            ct);
        return reply.GetProperty("status").GetInt32() == 200
            ? _subscriptions[channelId]
            : throw new ArgumentException("The push service refused the application server key.", nameof(applicationServerKey));
    }

    /// <summary>Ends a subscription; its endpoint answers 410 from now on.</summary>
    /// <exception cref="WebSocketException">There is no connection.</exception>
    public async Task UnsubscribeAsync(LocalSubscription subscription, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        await AskAsync(subscription.ChannelId, new { messageType = "unregister", channelID = subscription.ChannelId, code = 200 }, ct);
        if (_subscriptions.TryRemove(subscription.ChannelId, out LocalSubscription? removed))
        {
            removed.DisposeKey();
        }
    }

    /// <summary>Closes the connection. What comes meanwhile waits at the push service, as long as its TTL allows.</summary>
    public async Task DisconnectAsync()
    {
        await _sending.WaitAsync();
        try
        {
            if (_socket.State == WebSocketState.Open)
            {
                await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
            }
        }
        catch (WebSocketException)
        {
            // Lost already.
        }
        finally
        {
            _sending.Release();
        }

        await _receiving;
        _socket.Dispose();
    }

    /// <summary>
    /// Connects again under the same name and gets what waited. A push service that lost its memory gives a new name;
    /// the subscriptions are then dead, and this user agent forgets them, as Firefox does.
    /// </summary>
    /// <exception cref="WebSocketException">There is no push service.</exception>
    public async Task ReconnectAsync(CancellationToken ct = default)
    {
        await DisconnectAsync();
        await OpenAsync(ct);
    }

    /// <summary>Closes the connection and completes <see cref="Received"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        await DisconnectAsync();
        _received.Writer.TryComplete();
        ForgetSubscriptions();
        _sending.Dispose();
    }

    private async Task OpenAsync(CancellationToken ct)
    {
        _socket = new ClientWebSocket();
        _socket.Options.AddSubProtocol("push-notification");
        await _socket.ConnectAsync(_pushService, ct);

        TaskCompletionSource<JsonElement> hello = Await("hello");
        _receiving = ReceiveAllAsync(_socket);
        await SendAsync(
            Uaid is null
                ? new { messageType = "hello", use_webpush = true, broadcasts = new { } }
                : new { messageType = "hello", use_webpush = true, broadcasts = new { }, uaid = Uaid },
            ct);
        await hello.Task.WaitAsync(ct);
    }

    private TaskCompletionSource<JsonElement> Await(string name) =>
        _awaited[name] = new TaskCompletionSource<JsonElement>(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<JsonElement> AskAsync(string channelId, object request, CancellationToken ct)
    {
        TaskCompletionSource<JsonElement> answer = Await(channelId);
        try
        {
            await SendAsync(request, ct);
            return await answer.Task.WaitAsync(ct);
        }
        finally
        {
            _awaited.TryRemove(channelId, out _);
        }
    }

    private async Task SendAsync(object message, CancellationToken ct)
    {
        byte[] utf8 = JsonSerializer.SerializeToUtf8Bytes(message);
        await _sending.WaitAsync(ct);
        try
        {
            if (_socket.State != WebSocketState.Open)
            {
                throw new WebSocketException(WebSocketError.InvalidState, "There is no connection to the push service.");
            }

            await _socket.SendAsync(utf8, WebSocketMessageType.Text, endOfMessage: true, ct);
        }
        finally
        {
            _sending.Release();
        }
    }

    private async Task ReceiveAllAsync(ClientWebSocket socket)
    {
        try
        {
            using var reader = new MessageReader(socket, MaxMessageLength);
            while (true)
            {
                (WebSocketMessageType? type, ReadOnlyMemory<byte> message) = await reader.ReadAsync(CancellationToken.None);
                if (type != WebSocketMessageType.Text)
                {
                    break;
                }

                await HandleAsync(message);
            }

            await CloseOutputAsync(socket);
        }
        catch (WebSocketException)
        {
            // Lost; what is awaited fails below.
        }
        finally
        {
            foreach (TaskCompletionSource<JsonElement> awaited in _awaited.Values)
            {
                awaited.TrySetException(new WebSocketException(WebSocketError.ConnectionClosedPrematurely));
            }
        }
    }

    private async Task CloseOutputAsync(ClientWebSocket socket)
    {
        await _sending.WaitAsync();
        try
        {
            if (socket.State == WebSocketState.CloseReceived)
            {
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
            }
        }
        finally
        {
            _sending.Release();
        }
    }

    private async Task HandleAsync(ReadOnlyMemory<byte> utf8)
    {
        JsonElement message = JsonElement.Parse(utf8.Span);
        switch (BrowserMessages.Text(message, "messageType"))
        {
            case "hello":
                Greeted(message.GetProperty("uaid").GetString());
                Answer("hello", message);
                break;
            case "register":
                // Before the next message is looked at: the first push message may be right behind.
                Registered(message);
                Answer(BrowserMessages.Text(message, "channelID"), message);
                break;
            case "unregister":
                Answer(BrowserMessages.Text(message, "channelID"), message);
                break;
            case "notification":
                await ReceiveAsync(message);
                break;
        }
    }

    private void Greeted(string? uaid)
    {
        if (Uaid is not null && Uaid != uaid)
        {
            ForgetSubscriptions();
        }

        Uaid = uaid;
    }

    private void Registered(JsonElement message)
    {
        if (BrowserMessages.Text(message, "channelID") is { } channelId && BrowserMessages.Text(message, "pushEndpoint") is { } endpoint)
        {
            _subscriptions[channelId] = new LocalSubscription(channelId, endpoint);
        }
    }

    private void Answer(string? name, JsonElement message)
    {
        if (name is not null && _awaited.TryGetValue(name, out TaskCompletionSource<JsonElement>? awaited))
        {
            awaited.TrySetResult(message);
        }
    }

    private async Task ReceiveAsync(JsonElement message)
    {
        string channelId = message.GetProperty("channelID").GetString()!;
        string version = message.GetProperty("version").GetString()!;
        if (!_subscriptions.TryGetValue(channelId, out LocalSubscription? subscription))
        {
            await TryAcknowledgeAsync(channelId, version, 100);
            return;
        }

        byte[] content = BrowserMessages.Text(message, "data") is { } data ? Base64Url.DecodeFromChars(data) : [];
        string? error = null;
        try
        {
            content = content.Length > 0 && Decrypts ? subscription.Decrypt(content) : content;
        }
        catch (CryptographicException e)
        {
            (content, error) = ([], e.Message);
        }

        // Handed on only when acknowledged: otherwise it comes again on the next connection.
        if (await TryAcknowledgeAsync(channelId, version, error is null ? 100 : 101))
        {
            _received.Writer.TryWrite(
                new ReceivedPush(subscription, content, TimeProvider.System.GetUtcNow(), version, BrowserMessages.Text(message, "topic"), error));
        }
    }

    private async Task<bool> TryAcknowledgeAsync(string channelId, string version, int code)
    {
        try
        {
            await SendAsync(new { messageType = "ack", updates = new[] { new { channelID = channelId, version, code } } }, CancellationToken.None);
            return true;
        }
        catch (WebSocketException)
        {
            // Disconnecting, or lost; the loop finds out which.
            return false;
        }
    }

    private void ForgetSubscriptions()
    {
        foreach (LocalSubscription subscription in _subscriptions.Values)
        {
            subscription.DisposeKey();
        }

        _subscriptions.Clear();
    }
}
