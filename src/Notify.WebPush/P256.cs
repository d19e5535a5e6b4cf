using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>The curve of RFC 8291 (section 3.1) and RFC 8292 (section 3.2), and the raw forms of its keys.</summary>
internal static class P256
{
    /// <summary>Bytes of an uncompressed point, 0x04 || x || y (ANSI X9.62, named by RFC 8291, section 3.1).</summary>
    internal const int PointLength = 65;

    /// <summary>Bytes of a coordinate, and of a private key.</summary>
    internal const int ScalarLength = 32;

    /// <summary>The first byte of an uncompressed point.</summary>
    internal const byte Uncompressed = 0x04;

    /// <summary>The parameters of a public key. The point is checked by whoever imports them.</summary>
    internal static ECParameters PublicKey(ReadOnlySpan<byte> point) => new()
    {
        Curve = ECCurve.NamedCurves.nistP256,
        Q = new ECPoint { X = point.Slice(1, ScalarLength).ToArray(), Y = point.Slice(1 + ScalarLength, ScalarLength).ToArray() },
    };

    /// <summary>Writes the 65 bytes of an uncompressed point.</summary>
    internal static void WritePoint(ECPoint point, Span<byte> destination)
    {
        destination[0] = Uncompressed;
        point.X.CopyTo(destination[1..]);
        point.Y.CopyTo(destination[(1 + ScalarLength)..]);
    }
}
