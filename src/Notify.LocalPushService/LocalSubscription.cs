using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;

namespace Notify.LocalPushService;

/// <summary>A push subscription of a <see cref="LocalUserAgent"/>, with real keys; what a browser calls PushSubscription.</summary>
public sealed class LocalSubscription
{
    private readonly ECDiffieHellman _key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
    private readonly byte[] _uaPublic;
    private readonly byte[] _authSecret = RandomNumberGenerator.GetBytes(16);

    internal LocalSubscription(string channelId, string endpoint)
    {
        ChannelId = channelId;
        Endpoint = endpoint;
        _uaPublic = P256.Point(_key.ExportParameters(includePrivateParameters: false));
        P256dh = Base64Url.EncodeToString(_uaPublic);
        Auth = Base64Url.EncodeToString(_authSecret);
    }

    /// <summary>The URL to post push messages to; a capability.</summary>
    public string Endpoint { get; }

    /// <summary>The user agent's public key: an uncompressed P-256 point of 65 bytes in base64url (RFC 8291, section 2.1).</summary>
    public string P256dh { get; }

    /// <summary>The authentication secret: 16 bytes in base64url (RFC 8291, section 2.1).</summary>
    public string Auth { get; }

    internal string ChannelId { get; }

    /// <summary>The JSON of <c>PushSubscription.toJSON()</c>.</summary>
    public string ToJson() => JsonSerializer.Serialize(
        new { endpoint = Endpoint, expirationTime = (long?)null, keys = new { p256dh = P256dh, auth = Auth } });

    internal byte[] Decrypt(ReadOnlySpan<byte> body) => MessageDecryption.Decrypt(_key, _uaPublic, _authSecret, body);

    internal void DisposeKey() => _key.Dispose();
}
