using System.Buffers.Binary;
using System.Buffers.Text;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Notify.IntegrationTests.Browsers;

/// <summary>The least that pushes to a user agent: one VAPID key pair (RFC 8292), one POST (RFC 8030), one record (RFC 8291).</summary>
public sealed class ApplicationServer : IDisposable
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false });

    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    /// <summary>The application server key, base64url.</summary>
    public string PublicKey => Base64Url.EncodeToString(Point(_key.ExportParameters(includePrivateParameters: false)));

    /// <summary>Pushes the payload, or nothing at all, and returns the push service's status.</summary>
    public async Task<HttpStatusCode> PushAsync(BrowserHost.Subscription subscription, string? payload, CancellationToken ct)
    {
        var endpoint = new Uri(subscription.Endpoint);
        using var request = new HttpRequestMessage(HttpMethod.Post, endpoint) { Headers = { { "TTL", "60" } } };
        request.Headers.Authorization = new AuthenticationHeaderValue("vapid", $"t={Token(endpoint)}, k={PublicKey}");
        if (payload is not null)
        {
            request.Content = new ByteArrayContent(Encrypt(Encoding.UTF8.GetBytes(payload), subscription.P256dh, subscription.Auth));
            request.Content.Headers.ContentEncoding.Add("aes128gcm");
        }
        using var response = await Http.SendAsync(request, ct);
        return response.StatusCode;
    }

    public void Dispose() => _key.Dispose();

    // RFC 8292, section 2.
    private string Token(Uri endpoint)
    {
        var exp = TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeSeconds();
        var claims = new { aud = endpoint.GetLeftPart(UriPartial.Authority), exp, sub = "mailto:tests@notify.example" };
        var signed = $"{Encode(new { typ = "JWT", alg = "ES256" })}.{Encode(claims)}";
        return $"{signed}.{Base64Url.EncodeToString(_key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256))}";
    }

    // RFC 8291, section 3.4.
    private static byte[] Encrypt(ReadOnlySpan<byte> plaintext, string p256dh, string auth)
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

    private static byte[] Point(ECParameters key) => [4, .. key.Q.X!, .. key.Q.Y!];

    private static string Encode(object value) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(value));
}
