using System.Buffers.Text;
using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>
/// Where to push and with what keys (RFC 8030, section 4; RFC 8291, section 3). Immutable; the keys are parsed and checked once, here.
/// </summary>
public sealed class PushSubscription
{
    /// <summary>Bytes of the authentication secret (RFC 8291, section 3.2).</summary>
    internal const int AuthSecretLength = 16;

    private readonly byte[] _uaPublic;
    private readonly byte[] _authSecret;

    private ECDiffieHellmanPublicKey? _uaPublicKey;

    private PushSubscription(Uri endpoint, byte[] uaPublic, byte[] authSecret, DateTimeOffset? expirationTime)
    {
        Endpoint = endpoint;
        P256dh = Base64Url.EncodeToString(uaPublic);
        Auth = Base64Url.EncodeToString(authSecret);
        ExpirationTime = expirationTime;
        _uaPublic = uaPublic;
        _authSecret = authSecret;
    }

    /// <summary>The push resource (RFC 8030, section 2): an absolute http or https URL. Whoever knows it can push, so it is never logged whole.</summary>
    public Uri Endpoint { get; }

    /// <summary>The user agent's public key, an uncompressed P-256 point of 65 bytes: 87 characters of base64url without padding.</summary>
    public string P256dh { get; }

    /// <summary>The authentication secret of 16 bytes: 22 characters of base64url without padding.</summary>
    public string Auth { get; }

    /// <summary>When the user agent said that the subscription ends; null when it did not say.</summary>
    public DateTimeOffset? ExpirationTime { get; }

    /// <summary>The P-256 point named ua_public in RFC 8291 (section 3.4), 65 bytes.</summary>
    internal ReadOnlySpan<byte> UaPublic => _uaPublic;

    /// <summary>The 16 bytes named auth_secret in RFC 8291 (section 3.4).</summary>
    internal ReadOnlySpan<byte> AuthSecret => _authSecret;

    /// <summary>ua_public as the base class library has it, for those who use that; imported once, since that costs more than the curve.</summary>
    internal ECDiffieHellmanPublicKey UaPublicKey => LazyInitializer.EnsureInitialized(ref _uaPublicKey, () =>
    {
        using var key = ECDiffieHellman.Create(P256.PublicKey(_uaPublic));
        return key.PublicKey;
    });

    /// <summary>A push subscription from its three parts. The keys may be base64url or base64, padded or not.</summary>
    /// <exception cref="PushSubscriptionException">The endpoint is no absolute http or https URL, or a key is not valid.</exception>
    public static PushSubscription Create(string endpoint, string p256dh, string auth) => Create(endpoint, p256dh, auth, null);

    /// <summary>
    /// Reads what <c>PushSubscription.toJSON()</c> gives in the browser (W3C Push API): <c>endpoint</c>, <c>expirationTime</c>
    /// (milliseconds since 1970, or null) and <c>keys</c> with <c>p256dh</c> and <c>auth</c>. Other members are ignored.
    /// </summary>
    /// <exception cref="PushSubscriptionException">The bytes are no such JSON, or a key is not valid.</exception>
    public static PushSubscription Parse(ReadOnlySpan<byte> utf8Json)
    {
        var json = PushSubscriptionJson.Read(utf8Json);
        return Create(json.Endpoint, json.Keys.P256dh, json.Keys.Auth, json.ExpirationTime);
    }

    private static PushSubscription Create(string endpoint, string p256dh, string auth, DateTimeOffset? expirationTime)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(p256dh);
        ArgumentNullException.ThrowIfNull(auth);

        var uri = ParseEndpoint(endpoint);
        var uaPublic = DecodeKey("keys.p256dh", p256dh, P256.PointLength);
        if (uaPublic[0] != P256.Uncompressed)
        {
            throw new PushSubscriptionException(PushSubscriptionException.InvalidKeys,
                "keys.p256dh must be an uncompressed point: its first byte must be 0x04.");
        }

        if (!Primitives.Default.IsOnCurve(uaPublic))
        {
            throw new PushSubscriptionException(PushSubscriptionException.InvalidKeys,
                "keys.p256dh is no point on the curve P-256: send the text PushSubscription.toJSON() gives, unchanged.");
        }

        return new PushSubscription(uri, uaPublic, DecodeKey("keys.auth", auth, AuthSecretLength), expirationTime);
    }

    private static Uri ParseEndpoint(string endpoint)
    {
        // A serialised URL is printable ASCII; System.Uri alone would trim, unescape and mend what is not, and take a path for a file.
        var isUrlText = !endpoint.AsSpan().ContainsAnyExceptInRange('!', '~') && !endpoint.AsSpan().ContainsAny('\\', '"', '#');
        if (!isUrlText || !Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) || !endpoint.StartsWith(uri.Scheme + ":", StringComparison.OrdinalIgnoreCase))
        {
            throw Refused(PushSubscriptionException.ParseError);
        }

        if ((uri.Scheme != Uri.UriSchemeHttps && uri.Scheme != Uri.UriSchemeHttp) || HasUserInfo(endpoint))
        {
            throw Refused(PushSubscriptionException.EndpointNotAllowed);
        }

        return endpoint.AsSpan(uri.Scheme.Length).StartsWith("://", StringComparison.Ordinal) ? uri : throw Refused(PushSubscriptionException.ParseError);

        // Also an empty one, which System.Uri does not tell: it would be another endpoint to us, and the same to the push service.
        static bool HasUserInfo(string endpoint)
        {
            var authority = endpoint.AsSpan(endpoint.IndexOf(':', StringComparison.Ordinal) + 1).TrimStart('/');
            return authority[..(authority.IndexOfAny('/', '?') is var end and >= 0 ? end : authority.Length)].Contains('@');
        }

        static PushSubscriptionException Refused(string code) =>
            new(code, "endpoint must be an absolute https or http URL without user info and fragment: send the one PushSubscription.toJSON() gives.");
    }

    private static byte[] DecodeKey(string name, string text, int length)
    {
        var bytes = Base64UrlText.Decode(text) ?? throw new PushSubscriptionException(PushSubscriptionException.InvalidKeys,
            $"{name} must be base64url: send the text PushSubscription.toJSON() gives, unchanged.");
        return bytes.Length == length ? bytes : throw new PushSubscriptionException(PushSubscriptionException.InvalidKeys,
            $"{name} must decode to {length} bytes, not {bytes.Length}: send the text PushSubscription.toJSON() gives, unchanged.");
    }
}
