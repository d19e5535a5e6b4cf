using System.Buffers.Text;
using System.Security.Cryptography;
using Org.BouncyCastle.Asn1.Sec;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Math;

namespace Notify.WebPush.Tests.Support;

/// <summary>The other end: holds the private key and the auth secret of a subscription and reads what was encrypted for it.</summary>
internal sealed class UserAgent
{
    private static readonly ECDomainParameters Curve = new(SecNamedCurves.GetByName("secp256r1"));

    private readonly ECPrivateKeyParameters _uaPrivate;
    private readonly byte[] _authSecret;

    internal UserAgent()
        : this(RandomNumberGenerator.GetBytes(32), RandomNumberGenerator.GetBytes(16))
    {
    }

    internal UserAgent(byte[] uaPrivate, byte[] authSecret)
    {
        // Modulo the order, because a random number of 32 bytes may, if hardly ever, exceed it.
        _uaPrivate = new ECPrivateKeyParameters(new BigInteger(1, uaPrivate).Mod(Curve.N), Curve);
        _authSecret = authSecret;
        UaPublic = Curve.G.Multiply(_uaPrivate.D).GetEncoded(compressed: false);
    }

    internal byte[] UaPublic { get; }

    internal string P256dh => Base64Url.EncodeToString(UaPublic);

    internal string Auth => Base64Url.EncodeToString(_authSecret);

    internal PushSubscription Subscribe(string endpoint = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV") =>
        PushSubscription.Create(endpoint, P256dh, Auth);

    internal byte[] Decrypt(byte[] body) =>
        Aes128GcmDecryptor.Decrypt(body, asPublic => Aes128GcmDecryptor.Ikm(_uaPrivate, UaPublic, _authSecret, asPublic));
}
