using System.Buffers.Text;
using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>An application server key pair (RFC 8292, section 3.2): signs with ES256. Safe to use from several threads.</summary>
public sealed class VapidKeyPair : IDisposable
{
    /// <summary>Bytes of an ES256 signature, r || s (RFC 7518, section 3.4).</summary>
    internal const int SignatureLength = 2 * P256.ScalarLength;

    private readonly Lock _lock = new();
    private readonly ECDsa _key;

    private VapidKeyPair(ECDsa key)
    {
        _key = key;
        PublicKey = ToText(key.ExportParameters(includePrivateParameters: false).Q);
    }

    /// <summary>The public key, the <c>applicationServerKey</c> of a subscription: 87 characters of base64url (an uncompressed point of 65 bytes).</summary>
    public string PublicKey { get; }

    /// <summary>The private key: 43 characters of base64url (32 bytes). A secret; it is put into text only when asked for.</summary>
    /// <exception cref="ObjectDisposedException">The pair is disposed.</exception>
    public string PrivateKey
    {
        get
        {
            lock (_lock)
            {
                var d = _key.ExportParameters(includePrivateParameters: true).D!;
                try
                {
                    return Base64Url.EncodeToString(d);
                }
                finally
                {
                    CryptographicOperations.ZeroMemory(d);
                }
            }
        }
    }

    /// <summary>A new pair.</summary>
    public static VapidKeyPair Generate() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>A pair as web push tools print it: raw point and raw scalar as base64url or base64, padded or not.</summary>
    /// <exception cref="VapidException">A key is no base64url, of a wrong length, not of this curve, or the two do not belong together.</exception>
    public static VapidKeyPair Import(string publicKey, string privateKey)
    {
        ArgumentNullException.ThrowIfNull(publicKey);
        ArgumentNullException.ThrowIfNull(privateKey);

        var point = Decode("public", publicKey, P256.PointLength);
        RequirePoint(point);

        var d = Decode("private", privateKey, P256.ScalarLength);
        ECDsa? key = null;
        try
        {
            // Without Q the public key is computed, so that the comparison below holds on every platform.
            key = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = d });
            var pair = new VapidKeyPair(key);
            if (pair.PublicKey != Base64Url.EncodeToString(point))
            {
                throw new VapidException("The VAPID public key does not belong to the private key: configure the two that were generated together.");
            }

            key = null;
            return pair;
        }
        catch (CryptographicException)
        {
            throw new VapidException("The VAPID private key is no private key of the curve P-256: generate a new pair.");
        }
        finally
        {
            key?.Dispose();
            CryptographicOperations.ZeroMemory(d);
        }
    }

    /// <summary>Frees the key.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _key.Dispose();
        }
    }

    /// <summary>Signs with ES256; the destination takes <see cref="SignatureLength"/> bytes.</summary>
    internal void Sign(ReadOnlySpan<byte> data, Span<byte> signature)
    {
        lock (_lock)
        {
            if (!_key.TrySignData(data, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation, out _))
            {
                throw new ArgumentException($"The signature needs {SignatureLength} bytes.", nameof(signature));
            }
        }
    }

    private static byte[] Decode(string which, string text, int length)
    {
        var bytes = Base64UrlText.Decode(text)
            ?? throw new VapidException($"The VAPID {which} key is not base64url: copy it whole, without spaces or quotes.");
        return bytes.Length == length
            ? bytes
            : throw new VapidException($"The VAPID {which} key must decode to {length} bytes, not {bytes.Length}: copy it whole, in its raw form.");
    }

    private static void RequirePoint(byte[] point)
    {
        try
        {
            if (point[0] == P256.Uncompressed)
            {
                ECDsa.Create(P256.PublicKey(point)).Dispose();
                return;
            }
        }
        catch (CryptographicException)
        {
        }

        throw new VapidException("The VAPID public key is no uncompressed point on the curve P-256: configure the two keys that were generated together.");
    }

    private static string ToText(ECPoint q)
    {
        Span<byte> point = stackalloc byte[P256.PointLength];
        P256.WritePoint(q, point);
        return Base64Url.EncodeToString(point);
    }
}
