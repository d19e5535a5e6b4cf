using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Notify.IntegrationTests.Browsers;

/// <summary>A WebDriver BiDi session (W3C WebDriver BiDi): commands out, their results and the events in.</summary>
public sealed class WebDriver : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonNode>> _pending = new();
    private readonly SemaphoreSlim _sending = new(1);
    private Task _receiving = Task.CompletedTask;
    private int _lastId;

    private WebDriver()
    {
    }

    /// <summary>Raised with the method and the parameters of each event that was subscribed to.</summary>
    public event Action<string, JsonNode>? EventReceived;

    /// <summary>Connects and opens a session. <paramref name="address"/> is the one the browser prints, ws://host:port.</summary>
    public static async Task<WebDriver> ConnectAsync(Uri address, CancellationToken ct)
    {
        var driver = await JoinAsync(new Uri(address, "/session"), ct);
        await driver.SendAsync("session.new", new { capabilities = new { } }, ct);
        return driver;
    }

    /// <summary>Connects to a session that is there already, at its webSocketUrl.</summary>
    public static async Task<WebDriver> JoinAsync(Uri session, CancellationToken ct)
    {
        var driver = new WebDriver();
        await driver._socket.ConnectAsync(session, ct);
        driver._receiving = driver.ReceiveAsync();
        return driver;
    }

    /// <summary>Sends a command and returns its result; throws <see cref="InvalidOperationException"/> with the browser's own words.</summary>
    public async Task<JsonNode> SendAsync(string method, object parameters, CancellationToken ct)
    {
        var id = Interlocked.Increment(ref _lastId);
        var answer = _pending[id] = new TaskCompletionSource<JsonNode>(TaskCreationOptions.RunContinuationsAsynchronously);
        var command = JsonSerializer.SerializeToUtf8Bytes(new { id, method, @params = parameters });
        await _sending.WaitAsync(ct);
        try
        {
            await _socket.SendAsync(command, WebSocketMessageType.Text, endOfMessage: true, ct);
        }
        finally
        {
            _sending.Release();
        }
        return await answer.Task.WaitAsync(ct);
    }

    private async Task ReceiveAsync()
    {
        try
        {
            while (await _socket.ReceiveJsonAsync(CancellationToken.None) is { } message)
                Dispatch(message);
            Fail(new IOException("The browser closed the WebDriver session."));
        }
        catch (Exception exception) when (exception is WebSocketException or ObjectDisposedException or OperationCanceledException)
        {
            Fail(exception);
        }
    }

    private void Dispatch(JsonNode message)
    {
        if ((string?)message["type"] == "event")
            EventReceived?.Invoke((string)message["method"]!, message["params"]!);
        else if (message["id"] is { } id && _pending.TryRemove((int)id, out var answer))
        {
            if ((string?)message["type"] == "success")
                answer.SetResult(message["result"]!);
            else
                answer.SetException(new InvalidOperationException($"{message["error"]}: {message["message"]}"));
        }
    }

    private void Fail(Exception exception)
    {
        foreach (var answer in _pending.Values)
            answer.TrySetException(exception);
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _receiving;
        _sending.Dispose();
    }
}
