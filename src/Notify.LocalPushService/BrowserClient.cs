using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;

namespace Notify.LocalPushService;

/// <summary>
/// The user agent's end of the WebSocket, one connection after another: requests wait for their answers, everything received
/// goes to <paramref name="handle"/>, one message at a time and before its answer is given to who waits for it.
/// </summary>
internal sealed class BrowserClient(Uri pushService, Func<JsonElement, Task> handle) : IAsyncDisposable
{
    private const int MaxMessageLength = 65_536;
    private const string HelloName = "hello";
    private static readonly TimeSpan s_closeTimeout = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, TaskCompletionSource<JsonElement>> _awaited = new();
    private readonly SemaphoreSlim _sending = new(1);
    private ClientWebSocket _socket = new();
    private Task _receiving = Task.CompletedTask;
    private bool _disposed;

    public async Task OpenAsync(object hello, CancellationToken ct)
    {
        ClientWebSocket socket = _socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("push-notification");
        await socket.ConnectAsync(pushService, ct);
        _receiving = ReceiveAllAsync(socket);
        await AskAsync(HelloName, hello, ct);
    }

    /// <summary>The answer to a request: the next <c>hello</c>, or the next message about that channel.</summary>
    public async Task<JsonElement> AskAsync(string name, object request, CancellationToken ct)
    {
        var answer = new TaskCompletionSource<JsonElement>(TaskCreationOptions.RunContinuationsAsynchronously);
        _awaited[name] = answer;
        try
        {
            await SendAsync(request, ct);
            return await answer.Task.WaitAsync(ct);
        }
        finally
        {
            _awaited.TryRemove(name, out _);
        }
    }

    public async Task SendAsync(object message, CancellationToken ct)
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

    public async Task CloseAsync()
    {
        await CloseOutputAsync(_socket);
        await Task.WhenAny(_receiving, Task.Delay(s_closeTimeout));
        _socket.Dispose();
        await _receiving;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_disposed)
        {
            _disposed = true;
            await CloseAsync();
            _sending.Dispose();
        }
    }

    private async Task ReceiveAllAsync(ClientWebSocket socket)
    {
        try
        {
            using var reader = new MessageReader(socket, MaxMessageLength);
            while (await reader.ReadAsync(CancellationToken.None) is (WebSocketMessageType.Text, var message))
            {
                await HandleAsync(JsonElement.Parse(message.Span));
            }

            await CloseOutputAsync(socket);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException)
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

    private async Task HandleAsync(JsonElement message)
    {
        await handle(message);
        string? name = BrowserMessages.Text(message, "messageType") switch
        {
            "hello" => HelloName,
            "register" or "unregister" => BrowserMessages.Text(message, "channelID"),
            _ => null,
        };
        if (name is not null && _awaited.TryGetValue(name, out TaskCompletionSource<JsonElement>? awaited))
        {
            awaited.TrySetResult(message);
        }
    }

    private async Task CloseOutputAsync(ClientWebSocket socket)
    {
        await _sending.WaitAsync();
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
            {
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
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
    }
}
