using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text.Json;
using System.Threading.Channels;

namespace Notify.LocalPushService;

/// <summary>
/// A simulated user agent with real keys that speaks Mozilla's client protocol, as Firefox does: one connection, many
/// subscriptions. It decrypts and acknowledges each push message as it comes. Subscribing is thread-safe.
/// </summary>
public sealed class LocalUserAgent : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, LocalSubscription> _subscriptions = new();
    private readonly Channel<ReceivedPush> _received = Channel.CreateUnbounded<ReceivedPush>();
    private readonly BrowserClient _client;

    private LocalUserAgent(Uri pushService)
    {
        string scheme = pushService.Scheme is "https" or "wss" ? "wss" : "ws";
        _client = new BrowserClient(new UriBuilder(pushService) { Scheme = scheme }.Uri, HandleAsync);
    }

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
        JsonElement reply = await _client.AskAsync(
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
        string channelId = subscription.ChannelId;
        await _client.AskAsync(channelId, new { messageType = "unregister", channelID = channelId, code = 200 }, ct);
    }

    /// <summary>Closes the connection. What comes meanwhile waits at the push service, as long as its TTL allows.</summary>
    public Task DisconnectAsync() => _client.CloseAsync();

    /// <summary>
    /// Connects again under the same name and gets what waited. A push service that lost its memory gives a new name;
    /// the subscriptions are then dead, and this user agent forgets them, as Firefox does.
    /// </summary>
    /// <exception cref="WebSocketException">There is no push service.</exception>
    public async Task ReconnectAsync(CancellationToken ct = default)
    {
        await _client.CloseAsync();
        await OpenAsync(ct);
    }

    /// <summary>Closes the connection and completes <see cref="Received"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        await _client.DisposeAsync();
        _received.Writer.TryComplete();
        ForgetSubscriptions();
    }

    private Task OpenAsync(CancellationToken ct) => _client.OpenAsync(
        Uaid is null
            ? new { messageType = "hello", use_webpush = true, broadcasts = new { } }
            : new { messageType = "hello", use_webpush = true, broadcasts = new { }, uaid = Uaid },
        ct);

    private async Task HandleAsync(JsonElement message)
    {
        string? channelId = BrowserMessages.Text(message, "channelID");
        switch (BrowserMessages.Text(message, "messageType"))
        {
            case "hello":
                Greeted(BrowserMessages.Text(message, "uaid"));
                break;
            case "register" when channelId is not null && BrowserMessages.Text(message, "pushEndpoint") is { } endpoint:
                _subscriptions[channelId] = new LocalSubscription(channelId, endpoint);
                break;
            case "unregister" when channelId is not null && _subscriptions.TryRemove(channelId, out LocalSubscription? removed):
                removed.DisposeKey();
                break;
            case "notification" when channelId is not null && BrowserMessages.Text(message, "version") is { } version:
                await ReceiveAsync(channelId, version, message);
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

    private async Task ReceiveAsync(string channelId, string version, JsonElement message)
    {
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
            await _client.SendAsync(
                new { messageType = "ack", updates = new[] { new { channelID = channelId, version, code } } }, CancellationToken.None);
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
