using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>
/// By OpenSSL's libcrypto, version 3, which the base class library uses on Linux as well: two point multiplications, and nothing else. Public calls alone, none of them
/// deprecated (OpenSSL 3, man EC_POINT_new, EC_POINT_add, BN_bin2bn).
/// </summary>
/// <remarks>docs/adr/0015-curve-arithmetic.md weighs it. Each thread has objects of its own, since libcrypto's are not to be shared.</remarks>
internal sealed partial class LibcryptoKeyAgreement : KeyAgreement
{
    [ThreadStatic]
    private static Context? t_context;

    private LibcryptoKeyAgreement()
    {
    }

    // FIPS 186-4, D.1.2.3: the order of P-256. A private key is less, and more than zero.
    private static ReadOnlySpan<byte> Order =>
    [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];

    /// <summary>Null where there is no such library, or it does not answer as it should.</summary>
    internal static LibcryptoKeyAgreement? TryCreate()
    {
        try
        {
            if (!OperatingSystem.IsLinux())
            {
                return null;
            }

            // The base class library is to load OpenSSL first: it does so in a way that leaves it usable while the process ends.
            RandomNumberGenerator.Fill(stackalloc byte[1]);
            return IsRight() ? new LibcryptoKeyAgreement() : null;
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException or CryptographicException)
        {
            return null;
        }
    }

    internal override bool IsOnCurve(ReadOnlySpan<byte> point)
    {
        var context = t_context ??= new Context();
        if (IsUncompressed(point) && Native.EC_POINT_oct2point(context.Group, context.Point, point, P256.PointLength, context.Numbers) == 1)
        {
            return true;
        }

        Native.ERR_clear_error();
        return false;
    }

    internal override void Agree(PushSubscription subscription, Span<byte> asPublic, Span<byte> ecdhSecret)
    {
        Span<byte> asPrivate = stackalloc byte[P256.ScalarLength];
        try
        {
            do
            {
                RandomNumberGenerator.Fill(asPrivate);
            }
            while (!IsPrivateKey(asPrivate));
            Agree(subscription.UaPublic, asPrivate, asPublic, ecdhSecret);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(asPrivate);
        }
    }

    internal override void Agree(PushSubscription subscription, ReadOnlySpan<byte> asPrivate, Span<byte> asPublic, Span<byte> ecdhSecret) =>
        Agree(subscription.UaPublic, asPrivate, asPublic, ecdhSecret);

    /// <summary>Refuses a point that is not on the curve: libcrypto checks each that it reads.</summary>
    internal static void Agree(ReadOnlySpan<byte> uaPublic, ReadOnlySpan<byte> asPrivate, Span<byte> asPublic, Span<byte> ecdhSecret)
    {
        if (!IsPrivateKey(asPrivate) || !IsUncompressed(uaPublic) || asPublic.Length != P256.PointLength || ecdhSecret.Length != SecretLength)
        {
            throw new CryptographicException("No private key or no point of the curve P-256.");
        }

        var context = t_context ??= new Context();
        Span<byte> point = stackalloc byte[P256.PointLength];
        var shared = Native.EC_POINT_new(context.Group);
        try
        {
            ThrowIfNot(shared != 0 && Native.BN_bin2bn(asPrivate, asPrivate.Length, context.Scalar) == context.Scalar);
            ThrowIfNot(Native.EC_POINT_mul(context.Group, context.Point, context.Scalar, 0, 0, context.Numbers) == 1);
            ThrowIfNot(Native.EC_POINT_point2oct(context.Group, context.Point, P256.Uncompressed, asPublic, P256.PointLength, context.Numbers) == P256.PointLength);
            ThrowIfNot(Native.EC_POINT_oct2point(context.Group, context.Point, uaPublic, P256.PointLength, context.Numbers) == 1);
            ThrowIfNot(Native.EC_POINT_mul(context.Group, shared, 0, context.Point, context.Scalar, context.Numbers) == 1);
            ThrowIfNot(Native.EC_POINT_point2oct(context.Group, shared, P256.Uncompressed, point, P256.PointLength, context.Numbers) == P256.PointLength);
            point.Slice(1, SecretLength).CopyTo(ecdhSecret);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(point);
            Native.BN_clear(context.Scalar);
            Native.EC_POINT_clear_free(shared);
        }
    }

    private static bool IsPrivateKey(ReadOnlySpan<byte> scalar) => scalar.Length == P256.ScalarLength && scalar.IndexOfAnyExcept((byte)0) >= 0 && scalar.SequenceCompareTo(Order) < 0;

    private static bool IsUncompressed(ReadOnlySpan<byte> point) => point.Length == P256.PointLength && point[0] == P256.Uncompressed;

    private static void ThrowIfNot(bool isDone)
    {
        if (!isDone)
        {
            // Else the next to fail in this thread, the base class library perhaps, would report this.
            Native.ERR_clear_error();
            throw new CryptographicException("libcrypto could not compute on the curve P-256.");
        }
    }

    // RFC 8291, appendix A; and the same with a point beside the curve.
    private static bool IsRight()
    {
        Span<byte> asPublic = stackalloc byte[P256.PointLength];
        Span<byte> ecdhSecret = stackalloc byte[SecretLength];
        var asPrivate = Base64Url.DecodeFromChars("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        var uaPublic = Base64Url.DecodeFromChars("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        Agree(uaPublic, asPrivate, asPublic, ecdhSecret);
        if (Base64Url.EncodeToString(asPublic) != "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
            || Base64Url.EncodeToString(ecdhSecret) != "kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs")
        {
            return false;
        }

        uaPublic[^1] ^= 1;
        try
        {
            Agree(uaPublic, asPrivate, asPublic, ecdhSecret);
            return false;
        }
        catch (CryptographicException)
        {
            return true;
        }
    }

    /// <summary>What one thread computes with.</summary>
    private sealed class Context
    {
        private const int Prime256v1 = 415;

        public readonly nint Group = Native.EC_GROUP_new_by_curve_name(Prime256v1);
        public readonly nint Numbers = Native.BN_CTX_new();
        public readonly nint Scalar = Native.BN_new();
        public readonly nint Point;

        public Context()
        {
            Point = Group == 0 ? 0 : Native.EC_POINT_new(Group);
            ThrowIfNot(Group != 0 && Numbers != 0 && Scalar != 0 && Point != 0);
        }

        // When its thread is gone. Each takes null.
        ~Context()
        {
            Native.EC_POINT_clear_free(Point);
            Native.BN_clear_free(Scalar);
            Native.BN_CTX_free(Numbers);
            Native.EC_GROUP_free(Group);
        }
    }

    private static partial class Native
    {
        private const string Libcrypto = "libcrypto.so.3";

        [LibraryImport(Libcrypto)]
        internal static partial nint EC_GROUP_new_by_curve_name(int nid);

        [LibraryImport(Libcrypto)]
        internal static partial void EC_GROUP_free(nint group);

        [LibraryImport(Libcrypto)]
        internal static partial nint EC_POINT_new(nint group);

        [LibraryImport(Libcrypto)]
        internal static partial void EC_POINT_clear_free(nint point);

        [LibraryImport(Libcrypto)]
        internal static partial int EC_POINT_oct2point(nint group, nint point, ReadOnlySpan<byte> octets, nuint length, nint numbers);

        [LibraryImport(Libcrypto)]
        internal static partial nuint EC_POINT_point2oct(nint group, nint point, int form, Span<byte> octets, nuint length, nint numbers);

        /// <summary>result = generatorScalar · G + pointScalar · point; null leaves a summand out.</summary>
        [LibraryImport(Libcrypto)]
        internal static partial int EC_POINT_mul(nint group, nint result, nint generatorScalar, nint point, nint pointScalar, nint numbers);

        [LibraryImport(Libcrypto)]
        internal static partial nint BN_CTX_new();

        [LibraryImport(Libcrypto)]
        internal static partial void BN_CTX_free(nint numbers);

        [LibraryImport(Libcrypto)]
        internal static partial nint BN_new();

        [LibraryImport(Libcrypto)]
        internal static partial nint BN_bin2bn(ReadOnlySpan<byte> bytes, int length, nint number);

        [LibraryImport(Libcrypto)]
        internal static partial void BN_clear(nint number);

        [LibraryImport(Libcrypto)]
        internal static partial void BN_clear_free(nint number);

        [LibraryImport(Libcrypto)]
        internal static partial void ERR_clear_error();
    }
}
