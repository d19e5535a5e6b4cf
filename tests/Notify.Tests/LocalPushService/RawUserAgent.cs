using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace Notify.Tests.LocalPushService;

/// <summary>A WebSocket that sends the frames it is told, as Firefox sends them, and acknowledges nothing by itself.</summary>
public sealed class RawUserAgent : IDisposable
{
    private readonly ClientWebSocket _socket = new();

    public string? SubProtocol => _socket.SubProtocol;

    public WebSocketCloseStatus? CloseStatus => _socket.CloseStatus;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static async Task<RawUserAgent> OpenAsync(Uri pushService, string? subProtocol = "push-notification")
    {
        var userAgent = new RawUserAgent();
        if (subProtocol is not null)
        {
            userAgent._socket.Options.AddSubProtocol(subProtocol);
        }

        await userAgent._socket.ConnectAsync(new UriBuilder(pushService) { Scheme = "ws" }.Uri, Ct);
        return userAgent;
    }

    public Task SendAsync(string json) => _socket.SendAsync(Encoding.UTF8.GetBytes(json), WebSocketMessageType.Text, true, Ct);

    public Task SendBinaryAsync(byte[] bytes) => _socket.SendAsync(bytes, WebSocketMessageType.Binary, true, Ct);

    public async Task<JsonElement> AskAsync(string json)
    {
        await SendAsync(json);
        return await ReadAsync();
    }

    public async Task<string> HelloAsync(string? uaid = null)
    {
        string json = uaid is null
            ? """{"messageType":"hello","broadcasts":{"remote-settings/monitor_changes":"\"1\""},"use_webpush":true}"""
            : $$"""{"messageType":"hello","broadcasts":{},"use_webpush":true,"uaid":"{{uaid}}"}""";
        JsonElement reply = await AskAsync(json);
        Assert.Equal(("hello", 200, true), (Type(reply), reply.GetProperty("status").GetInt32(), reply.GetProperty("use_webpush").GetBoolean()));
        return reply.GetProperty("uaid").GetString()!;
    }

    public async Task<JsonElement> ReadAsync()
    {
        byte[] buffer = new byte[16_384];
        int length = 0;
        while (true)
        {
            ValueWebSocketReceiveResult result = await _socket.ReceiveAsync(buffer.AsMemory(length), Ct);
            Assert.Equal(WebSocketMessageType.Text, result.MessageType);
            length += result.Count;
            if (result.EndOfMessage)
            {
                return JsonElement.Parse(buffer.AsSpan(0, length));
            }
        }
    }

    /// <summary>The next frame is a polite close.</summary>
    public async Task ReadCloseAsync()
    {
        ValueWebSocketReceiveResult result = await _socket.ReceiveAsync(new byte[1024].AsMemory(), Ct);
        Assert.Equal(WebSocketMessageType.Close, result.MessageType);
    }

    public static string? Type(JsonElement message) => message.GetProperty("messageType").GetString();

    /// <summary>Cuts the TCP connection.</summary>
    public void Cut() => _socket.Abort();

    public void Dispose() => _socket.Dispose();
}
