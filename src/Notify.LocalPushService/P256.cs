using System.Security.Cryptography;

namespace Notify.LocalPushService;

/// <summary>Points of P-256 in uncompressed form: 4, x, y; 65 bytes.</summary>
internal static class P256
{
    public const int PointLength = 65;
    private const int CoordinateLength = 32;

    public static ECParameters Parameters(ReadOnlySpan<byte> point) => new()
    {
        Curve = ECCurve.NamedCurves.nistP256,
        Q = new ECPoint { X = point.Slice(1, CoordinateLength).ToArray(), Y = point[(1 + CoordinateLength)..].ToArray() },
    };

    public static byte[] Point(ECParameters parameters) => [4, .. parameters.Q.X!, .. parameters.Q.Y!];

    public static bool IsOnCurve(ReadOnlySpan<byte> point)
    {
        if (point.Length != PointLength || point[0] != 4)
        {
            return false;
        }

        try
        {
            // The import itself checks the curve's equation.
            using ECDiffieHellman key = ECDiffieHellman.Create(Parameters(point));
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
