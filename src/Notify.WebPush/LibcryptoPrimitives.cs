using System.Buffers.Text;
using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>
/// By OpenSSL's libcrypto, version 3, which the base class library uses on Linux as well.
/// </summary>
/// <remarks>docs/adr/0015-curve-arithmetic.md and 0025-hmac-and-aes-by-libcrypto.md weigh it. Each thread has objects of its own, since libcrypto's are not to be shared.</remarks>
internal sealed class LibcryptoPrimitives : Primitives
{
    // EVP_CTRL_AEAD_GET_TAG.
    private const int GetTag = 0x10;

    [ThreadStatic]
    private static Context? t_context;

    private LibcryptoPrimitives()
    {
    }

    // FIPS 186-4, D.1.2.3: the order of P-256. A private key is less, and more than zero.
    private static ReadOnlySpan<byte> Order =>
    [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];

    /// <summary>Null where there is no such library, or it does not answer as it should.</summary>
    internal static LibcryptoPrimitives? TryCreate()
    {
        try
        {
            if (!OperatingSystem.IsLinux())
            {
                return null;
            }

            // The base class library is to load OpenSSL first: it does so in a way that leaves it usable while the process ends.
            RandomNumberGenerator.Fill(stackalloc byte[1]);
            return IsRight() ? new LibcryptoPrimitives() : null;
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException or CryptographicException)
        {
            return null;
        }
    }

    internal override bool IsOnCurve(ReadOnlySpan<byte> point)
    {
        var context = t_context ??= new Context();
        if (IsUncompressed(point) && Libcrypto.EC_POINT_oct2point(context.Group, context.Point, point, P256.PointLength, 0) == 1)
        {
            return true;
        }

        Libcrypto.ERR_clear_error();
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
        var (shared, numbers) = (Libcrypto.EC_POINT_new(context.Group), Libcrypto.BN_CTX_new());
        try
        {
            ThrowIfNot(shared != 0 && numbers != 0 && Libcrypto.BN_bin2bn(asPrivate, asPrivate.Length, context.Scalar) == context.Scalar);
            ThrowIfNot(Libcrypto.EC_POINT_mul(context.Group, context.Point, context.Scalar, 0, 0, numbers) == 1);
            ThrowIfNot(Libcrypto.EC_POINT_point2oct(context.Group, context.Point, P256.Uncompressed, asPublic, P256.PointLength, numbers) == P256.PointLength);
            ThrowIfNot(Libcrypto.EC_POINT_oct2point(context.Group, context.Point, uaPublic, P256.PointLength, numbers) == 1);
            ThrowIfNot(Libcrypto.EC_POINT_mul(context.Group, shared, 0, context.Point, context.Scalar, numbers) == 1);
            ThrowIfNot(Libcrypto.EC_POINT_point2oct(context.Group, shared, P256.Uncompressed, point, P256.PointLength, numbers) == P256.PointLength);
            point.Slice(1, SecretLength).CopyTo(ecdhSecret);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(point);
            Libcrypto.BN_clear(context.Scalar);
            Libcrypto.EC_POINT_clear_free(shared);

            // Its scratch numbers keep coordinates of the shared point, and where OpenSSL has no assembly for the curve, the scalar; this clears them.
            Libcrypto.BN_CTX_free(numbers);
        }
    }

    internal override void Hmac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> data, Span<byte> mac) => ComputeHmac(key, data, mac);

    internal override void Encrypt(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, Span<byte> text, Span<byte> tag) => EncryptInPlace(key, nonce, text, tag);

    internal override void Forget()
    {
        if (!TryForget())
        {
            Libcrypto.ERR_clear_error();
            t_context?.Dispose();
            t_context = null;
        }
    }

    // Another key, here of zeros, overwrites all that comes of the one before.
    private static bool TryForget() => t_context is not { } context
        || (Libcrypto.EVP_MAC_init(context.Mac, stackalloc byte[HMACSHA256.HashSizeInBytes], HMACSHA256.HashSizeInBytes, 0) == 1 && Libcrypto.EVP_CIPHER_CTX_reset(context.Aes) == 1);

    private static void ComputeHmac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> data, Span<byte> mac)
    {
        // To EVP_MAC_init no key means the one before.
        if (key.IsEmpty || mac.Length != HMACSHA256.HashSizeInBytes)
        {
            throw new CryptographicException("No key, or no room for 32 bytes.");
        }

        var context = t_context ??= new Context();
        ThrowIfNot(Libcrypto.EVP_MAC_init(context.Mac, key, (nuint)key.Length, 0) == 1);
        ThrowIfNot(Libcrypto.EVP_MAC_update(context.Mac, data, (nuint)data.Length) == 1);
        ThrowIfNot(Libcrypto.EVP_MAC_final(context.Mac, mac, out var length, (nuint)mac.Length) == 1 && length == (nuint)mac.Length);
    }

    private static void EncryptInPlace(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, Span<byte> text, Span<byte> tag)
    {
        if (key.Length != KeyDerivation.CekLength || nonce.Length != KeyDerivation.NonceLength || tag.Length != TagLength)
        {
            throw new CryptographicException("AES-128-GCM takes a key of 16 bytes and a nonce of 12, and gives a tag of 16.");
        }

        var context = t_context ??= new Context();
        ThrowIfNot(Libcrypto.EVP_EncryptInit_ex2(context.Aes, context.Aes128Gcm, key, nonce, 0) == 1);
        ThrowIfNot(Libcrypto.EVP_EncryptUpdate(context.Aes, text, out var length, text, text.Length) == 1 && length == text.Length);

        // There is no last block to be written.
        ThrowIfNot(Libcrypto.EVP_EncryptFinal_ex(context.Aes, tag, out length) == 1 && length == 0);
        ThrowIfNot(Libcrypto.EVP_CIPHER_CTX_ctrl(context.Aes, GetTag, TagLength, tag) == 1);
    }

    private static bool IsPrivateKey(ReadOnlySpan<byte> scalar) => scalar.Length == P256.ScalarLength && scalar.IndexOfAnyExcept((byte)0) >= 0 && scalar.SequenceCompareTo(Order) < 0;

    private static bool IsUncompressed(ReadOnlySpan<byte> point) => point.Length == P256.PointLength && point[0] == P256.Uncompressed;

    private static void ThrowIfNot(bool isDone)
    {
        if (!isDone)
        {
            // Else the next to fail in this thread, the base class library perhaps, would report this.
            Libcrypto.ERR_clear_error();
            throw new CryptographicException("libcrypto could not compute what a message is encrypted with.");
        }
    }

    // RFC 8291, appendix A, with what was there before forgotten; a point beside the curve; and, so that none is found missing later, all that frees.
    private static bool IsRight()
    {
        for (var i = 0; i < 2; i++)
        {
            if (!MakesMac() || !Encrypts() || !TryForget())
            {
                return false;
            }
        }

        new Context().Dispose();
        return Agrees();
    }

    private static bool MakesMac()
    {
        Span<byte> prkKey = stackalloc byte[KeyDerivation.PrkLength];
        ComputeHmac(Base64Url.DecodeFromChars("BTBZMqHH6r4Tts7J_aSIgg"), Base64Url.DecodeFromChars("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs"), prkKey);
        return Base64Url.EncodeToString(prkKey) == "Snr3JMxaHVDXHWJn5wdC52WjpCtd2EIEGBykDcZW32k";
    }

    private static bool Encrypts()
    {
        Span<byte> record = [.. "When I grow up, I want to be a watermelon\u0002"u8];
        Span<byte> tag = stackalloc byte[TagLength];
        EncryptInPlace(Base64Url.DecodeFromChars("oIhVW04MRdy2XN9CiKLxTg"), Base64Url.DecodeFromChars("4h_95klXJ5E_qnoN"), record, tag);
        return Base64Url.EncodeToString([.. record, .. tag]) == "8pfeW0KbunFT06SuDKoJH9Ql87S1QUrdirN6GcG7sFz1y1sqLgVi1VhjVkHsUoEsbI_0LpXMuGvnzQ";
    }

    private static bool Agrees()
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
    private sealed class Context : IDisposable
    {
        private const int Prime256v1 = 415;

        public readonly nint Group;
        public readonly nint Scalar;
        public readonly nint Point;
        public readonly nint Mac;
        public readonly nint Aes;
        public readonly nint Aes128Gcm;

        public Context()
        {
            // Of a library that lacks one of these, the finalizer would find others missing, and there is nobody to catch that.
            GC.SuppressFinalize(this);
            try
            {
                Group = Libcrypto.EC_GROUP_new_by_curve_name(Prime256v1);
                Scalar = Libcrypto.BN_new();
                Point = Group == 0 ? 0 : Libcrypto.EC_POINT_new(Group);
                Mac = NewMac();
                Aes = Libcrypto.EVP_CIPHER_CTX_new();
                Aes128Gcm = Libcrypto.EVP_CIPHER_fetch(0, "AES-128-GCM", null);
                ThrowIfNot(Group != 0 && Scalar != 0 && Point != 0 && Aes != 0 && Aes128Gcm != 0);
            }
            catch (CryptographicException)
            {
                Free();
                throw;
            }

            GC.ReRegisterForFinalize(this);
        }

        // When its thread is gone.
        ~Context() => Free();

        public void Dispose()
        {
            Free();
            GC.SuppressFinalize(this);
        }

        private static nint NewMac()
        {
            var (hmac, builder) = (Libcrypto.EVP_MAC_fetch(0, "HMAC", null), Libcrypto.OSSL_PARAM_BLD_new());
            nint mac = 0, parameters = 0;
            try
            {
                // It keeps the addresses: these two stand in the program itself, with a zero behind them, and so stay where they are.
                ThrowIfNot(hmac != 0 && builder != 0 && Libcrypto.OSSL_PARAM_BLD_push_utf8_string(builder, "digest"u8, "SHA256"u8, 0) == 1);
                (mac, parameters) = (Libcrypto.EVP_MAC_CTX_new(hmac), Libcrypto.OSSL_PARAM_BLD_to_param(builder));
                ThrowIfNot(mac != 0 && parameters != 0 && Libcrypto.EVP_MAC_CTX_set_params(mac, parameters) == 1);
                return mac;
            }
            catch (CryptographicException)
            {
                Libcrypto.EVP_MAC_CTX_free(mac);
                throw;
            }
            finally
            {
                Libcrypto.OSSL_PARAM_free(parameters);
                Libcrypto.OSSL_PARAM_BLD_free(builder);
                Libcrypto.EVP_MAC_free(hmac);
            }
        }

        // Each takes null.
        private void Free()
        {
            Libcrypto.EVP_CIPHER_CTX_free(Aes);
            Libcrypto.EVP_CIPHER_free(Aes128Gcm);
            Libcrypto.EVP_MAC_CTX_free(Mac);
            Libcrypto.EC_POINT_clear_free(Point);
            Libcrypto.BN_clear_free(Scalar);
            Libcrypto.EC_GROUP_free(Group);
        }
    }
}
