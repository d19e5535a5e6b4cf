using System.Buffers.Binary;
using System.Buffers.Text;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Notify.LocalPushService;

namespace Notify.Tests.LocalPushService;

/// <summary>An application server on the base class library alone. Each part of a push message can be bent before it is sent.</summary>
public sealed class ApplicationServer(LocalPushServer pushService, TimeProvider? timeProvider = null) : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public HttpClient Http { get; } = new(new SocketsHttpHandler { UseProxy = false });

    public string PublicKey => Base64Url.EncodeToString(Point(_key.ExportParameters(false)));

    public JsonObject Header { get; } = new() { ["typ"] = "JWT", ["alg"] = "ES256" };

    public JsonObject Claims() => new()
    {
        ["aud"] = pushService.Url.GetLeftPart(UriPartial.Authority),
        ["exp"] = Now.AddHours(12).ToUnixTimeSeconds(),
        ["sub"] = "mailto:push@example.com",
    };

    public DateTimeOffset Now => (timeProvider ?? TimeProvider.System).GetUtcNow();

    public string Sign(JsonObject header, JsonObject claims) => Sign(header.ToJsonString(), claims.ToJsonString());

    public string Sign(string header, string claims)
    {
        string signed = $"{Part(header)}.{Part(claims)}";
        byte[] signature = _key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";

        static string Part(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));
    }

    public string Authorization(JsonObject? claims = null) => $"vapid t={Sign(Header, claims ?? Claims())}, k={PublicKey}";

    public HttpRequestMessage Push(LocalSubscription subscription, string? text = "hello", int ttl = 60) =>
        PushBytes(subscription, text is null ? [] : Encrypt(subscription, Encoding.UTF8.GetBytes(text)), ttl);

    public HttpRequestMessage PushBytes(LocalSubscription subscription, byte[] body, int ttl = 60)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, subscription.Endpoint) { Content = new ByteArrayContent(body) };
        request.Headers.TryAddWithoutValidation("TTL", $"{ttl}");
        request.Headers.TryAddWithoutValidation("Authorization", Authorization());
        if (body.Length > 0)
        {
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            request.Content.Headers.ContentEncoding.Add("aes128gcm");
        }

        return request;
    }

    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request) =>
        await Http.SendAsync(request, TestContext.Current.CancellationToken);

    public async Task<HttpResponseMessage> SendAsync(LocalSubscription subscription, string text, int ttl = 60, string? topic = null)
    {
        HttpRequestMessage request = Push(subscription, text, ttl);
        if (topic is not null)
        {
            request.Headers.Add("Topic", topic);
        }

        return await SendAsync(request);
    }

    /// <summary>RFC 8291 and RFC 8188, one record.</summary>
    public static byte[] Encrypt(LocalSubscription subscription, ReadOnlySpan<byte> plaintext, uint recordSize = 4096, byte delimiter = 2)
    {
        byte[] uaPublic = Base64Url.DecodeFromChars(subscription.P256dh);
        byte[] authSecret = Base64Url.DecodeFromChars(subscription.Auth);
        byte[] salt = RandomNumberGenerator.GetBytes(16);
        using ECDiffieHellman uaKey = ECDiffieHellman.Create(
            new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = uaPublic[1..33], Y = uaPublic[33..] } });
        using ECDiffieHellman asKey = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        byte[] asPublic = Point(asKey.ExportParameters(false));

        byte[] prkKey = Hmac(authSecret, asKey.DeriveRawSecretAgreement(uaKey.PublicKey));
        byte[] ikm = Hmac(prkKey, [.. "WebPush: info\0"u8, .. uaPublic, .. asPublic, 1]);
        byte[] prk = Hmac(salt, ikm);
        byte[] key = Hmac(prk, [.. "Content-Encoding: aes128gcm\0"u8, 1])[..16];
        byte[] nonce = Hmac(prk, [.. "Content-Encoding: nonce\0"u8, 1])[..12];

        byte[] padded = [.. plaintext, delimiter];
        byte[] body = new byte[86 + padded.Length + 16];
        salt.CopyTo(body, 0);
        BinaryPrimitives.WriteUInt32BigEndian(body.AsSpan(16), recordSize);
        body[20] = 65;
        asPublic.CopyTo(body, 21);
        using var aes = new AesGcm(key, 16);
        aes.Encrypt(nonce, padded, body.AsSpan(86, padded.Length), body.AsSpan(86 + padded.Length));
        return body;
    }

    public void Dispose()
    {
        _key.Dispose();
        Http.Dispose();
    }

    private static byte[] Hmac(byte[] key, byte[] data) => HMACSHA256.HashData(key, data);

    private static byte[] Point(ECParameters key) => [4, .. key.Q.X!, .. key.Q.Y!];
}
