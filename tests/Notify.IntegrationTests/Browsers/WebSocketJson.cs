using System.Net.WebSockets;
using System.Text.Json.Nodes;

namespace Notify.IntegrationTests.Browsers;

internal static class WebSocketJson
{
    /// <summary>The next message as JSON, or null when the other side has closed.</summary>
    public static async Task<JsonNode?> ReceiveJsonAsync(this WebSocket socket, CancellationToken ct)
    {
        using var message = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(), ct);
            if (part.MessageType == WebSocketMessageType.Close)
                return null;
            message.Write(buffer, 0, part.Count);
            if (!part.EndOfMessage)
                continue;
            message.Position = 0;
            return JsonNode.Parse(message);
        }
    }
}
