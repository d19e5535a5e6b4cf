using System.Buffers.Binary;
using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text.Json;
using Xunit;

namespace Notify.IntegrationTests.Browsers;

/// <summary>The browser side of a push service as Firefox speaks it, and RFC 8291 encryption, for one browser.</summary>
public sealed class StandInPushService : IDisposable
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource<int>> _acks = new();
    private readonly SemaphoreSlim _sending = new(1);
    private WebSocket? _socket;
    private string _uaid = Guid.NewGuid().ToString("N");

    /// <summary>Endpoints handed out and not taken back, by channel.</summary>
    public ConcurrentDictionary<string, Uri> Endpoints { get; } = new();

    /// <summary>Serves one connection of the browser until it ends.</summary>
    public async Task ServeAsync(WebSocket socket, Uri url, CancellationToken ct)
    {
        _socket = socket;
        while (await socket.ReceiveJsonAsync(ct) is { } message)
        {
            var channelID = (string?)message["channelID"] ?? "";
            switch ((string?)message["messageType"])
            {
                case "hello":
                    await SendAsync(new { messageType = "hello", status = 200, uaid = _uaid, use_webpush = true }, ct);
                    break;
                case "register":
                    var pushEndpoint = Endpoints[channelID] = new Uri(url, $"push/{RandomNumberGenerator.GetHexString(32)}/{channelID}");
                    await SendAsync(new { messageType = "register", status = 200, channelID, pushEndpoint }, ct);
                    break;
                case "unregister":
                    Endpoints.TryRemove(channelID, out _);
                    await SendAsync(new { messageType = "unregister", status = 200, channelID }, ct);
                    break;
                case "ack":
                    foreach (var update in message["updates"]!.AsArray())
                        Acknowledge((string)update!["version"]!, (int?)update["code"] ?? 100);
                    break;
                case "nack":
                    Acknowledge((string)message["version"]!, (int)message["code"]!);
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>Forgets the browser and cuts its connection: on its return it gets a new name and no channels.</summary>
    public void ForgetBrowser()
    {
        _uaid = Guid.NewGuid().ToString("N");
        Endpoints.Clear();
        _socket?.Abort();
    }

    /// <summary>Pushes and waits for the browser's answer: 100 when the service worker is done with it.</summary>
    public async Task<int> PushAsync(string endpoint, byte[]? body, CancellationToken ct)
    {
        var channelID = new Uri(endpoint).Segments[^1];
        Assert.Contains(channelID, Endpoints);
        var version = Guid.NewGuid().ToString("N");
        var answer = _acks[version] = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        await SendAsync(
            body is null
                ? new { messageType = "notification", channelID, version }
                : new { messageType = "notification", channelID, version, data = Base64Url.EncodeToString(body), headers = new { encoding = "aes128gcm" } },
            ct);
        return await answer.Task.WaitAsync(ct);
    }

    /// <summary>RFC 8291, section 3.4: one aes128gcm record for the user agent's key and auth secret, both base64url.</summary>
    public static byte[] Encrypt(ReadOnlySpan<byte> plaintext, string p256dh, string auth)
    {
        var uaPublic = Base64Url.DecodeFromChars(p256dh);
        using var userAgent = ECDiffieHellman.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = uaPublic[1..33], Y = uaPublic[33..] },
        });
        using var applicationServer = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var asPublic = Point(applicationServer.ExportParameters(includePrivateParameters: false));

        var ecdhSecret = applicationServer.DeriveRawSecretAgreement(userAgent.PublicKey);
        var ikm = HKDF.DeriveKey(HashAlgorithmName.SHA256, ecdhSecret, 32, Base64Url.DecodeFromChars(auth), [.. "WebPush: info\0"u8, .. uaPublic, .. asPublic]);
        var salt = RandomNumberGenerator.GetBytes(16);
        var key = HKDF.DeriveKey(HashAlgorithmName.SHA256, ikm, 16, salt, "Content-Encoding: aes128gcm\0"u8.ToArray());
        var nonce = HKDF.DeriveKey(HashAlgorithmName.SHA256, ikm, 12, salt, "Content-Encoding: nonce\0"u8.ToArray());

        var rs = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(rs, 4096);
        byte[] record = [.. plaintext, 2];
        var ciphertext = new byte[record.Length];
        var tag = new byte[16];
        using var aes = new AesGcm(key, tag.Length);
        aes.Encrypt(nonce, record, ciphertext, tag);
        return [.. salt, .. rs, (byte)asPublic.Length, .. asPublic, .. ciphertext, .. tag];
    }

    /// <summary>A P-256 point, uncompressed.</summary>
    public static byte[] Point(ECParameters key) => [4, .. key.Q.X!, .. key.Q.Y!];

    private void Acknowledge(string version, int code)
    {
        if (_acks.TryRemove(version, out var answer))
            answer.SetResult(code);
    }

    private async Task SendAsync(object message, CancellationToken ct)
    {
        await _sending.WaitAsync(ct);
        try
        {
            await _socket!.SendAsync(JsonSerializer.SerializeToUtf8Bytes(message), WebSocketMessageType.Text, endOfMessage: true, ct);
        }
        finally
        {
            _sending.Release();
        }
    }

    public void Dispose() => _sending.Dispose();
}
