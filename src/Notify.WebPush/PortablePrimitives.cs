using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>By the base class library, on every system. It checks keys again and again, which costs three times what the curve does.</summary>
internal sealed class PortablePrimitives : Primitives
{
    internal override bool IsOnCurve(ReadOnlySpan<byte> point)
    {
        try
        {
            ECDiffieHellman.Create(P256.PublicKey(point)).Dispose();
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    internal override void Agree(PushSubscription subscription, Span<byte> asPublic, Span<byte> ecdhSecret)
    {
        using var asPrivateKey = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        Agree(subscription, asPrivateKey, asPublic, ecdhSecret);
    }

    internal override void Agree(PushSubscription subscription, ReadOnlySpan<byte> asPrivate, Span<byte> asPublic, Span<byte> ecdhSecret)
    {
        var d = asPrivate.ToArray();
        try
        {
            using var asPrivateKey = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = d });
            Agree(subscription, asPrivateKey, asPublic, ecdhSecret);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(d);
        }
    }

    internal override void Hmac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> data, Span<byte> mac) => HMACSHA256.HashData(key, data, mac);

    internal override void Encrypt(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, Span<byte> text, Span<byte> tag)
    {
        using var aes = new AesGcm(key, TagLength);
        aes.Encrypt(nonce, text, text, tag);
    }

    internal override void Forget()
    {
    }

    private static void Agree(PushSubscription subscription, ECDiffieHellman asPrivateKey, Span<byte> asPublic, Span<byte> ecdhSecret)
    {
        P256.WritePoint(asPrivateKey.ExportParameters(includePrivateParameters: false).Q, asPublic);
        var secret = asPrivateKey.DeriveRawSecretAgreement(subscription.UaPublicKey);
        secret.CopyTo(ecdhSecret);
        CryptographicOperations.ZeroMemory(secret);
    }
}
