using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>
/// From the shared secret to key and nonce, one method a step and one name a value, as RFC 8291 (section 3.4) and RFC 8188 (sections 2.2
/// and 2.3) write them. Every output is shorter than a hash, so that HKDF-Expand is one HMAC with a final 0x01, as both documents spell out.
/// </summary>
internal static class KeyDerivation
{
    internal const int PrkLength = SHA256.HashSizeInBytes;
    internal const int IkmLength = 32;
    internal const int CekLength = 16;
    internal const int NonceLength = 12;

    /// <summary>RFC 8291, section 3.4: "WebPush: info" || 0x00, before the two public keys.</summary>
    private static ReadOnlySpan<byte> KeyInfoPrefix => "WebPush: info\0"u8;

    /// <summary>RFC 8188, section 2.2: cek_info, with the 0x01 of the only block of HKDF-Expand.</summary>
    private static ReadOnlySpan<byte> CekInfo => "Content-Encoding: aes128gcm\0\u0001"u8;

    /// <summary>RFC 8188, section 2.3: nonce_info, with the 0x01 of the only block of HKDF-Expand.</summary>
    private static ReadOnlySpan<byte> NonceInfo => "Content-Encoding: nonce\0\u0001"u8;

    /// <summary>RFC 8291, section 3.4: PRK_key = HMAC-SHA-256(auth_secret, ecdh_secret).</summary>
    internal static void DerivePrkKey(Primitives primitives, ReadOnlySpan<byte> authSecret, ReadOnlySpan<byte> ecdhSecret, Span<byte> prkKey) =>
        primitives.Hmac(authSecret, ecdhSecret, prkKey);

    /// <summary>RFC 8291, section 3.4: key_info = "WebPush: info" || 0x00 || ua_public || as_public; IKM = HMAC-SHA-256(PRK_key, key_info || 0x01).</summary>
    internal static void DeriveIkm(Primitives primitives, ReadOnlySpan<byte> prkKey, ReadOnlySpan<byte> uaPublic, ReadOnlySpan<byte> asPublic, Span<byte> ikm)
    {
        Span<byte> keyInfo = stackalloc byte[KeyInfoPrefix.Length + (2 * P256.PointLength) + 1];
        KeyInfoPrefix.CopyTo(keyInfo);
        uaPublic.CopyTo(keyInfo[KeyInfoPrefix.Length..]);
        asPublic.CopyTo(keyInfo[(KeyInfoPrefix.Length + P256.PointLength)..]);
        keyInfo[^1] = 0x01;
        primitives.Hmac(prkKey, keyInfo, ikm);
    }

    /// <summary>RFC 8188, section 2.2: PRK = HMAC-SHA-256(salt, IKM).</summary>
    internal static void DerivePrk(Primitives primitives, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> ikm, Span<byte> prk) => primitives.Hmac(salt, ikm, prk);

    /// <summary>RFC 8188, section 2.2: CEK = HMAC-SHA-256(PRK, cek_info || 0x01), its first 16 bytes.</summary>
    internal static void DeriveCek(Primitives primitives, ReadOnlySpan<byte> prk, Span<byte> cek) => DeriveFirst(primitives, prk, CekInfo, cek);

    /// <summary>
    /// RFC 8188, section 2.3: NONCE = HMAC-SHA-256(PRK, nonce_info || 0x01), its first 12 bytes; the exclusive or with the sequence number
    /// changes nothing for the first record, which is the only one here.
    /// </summary>
    internal static void DeriveNonce(Primitives primitives, ReadOnlySpan<byte> prk, Span<byte> nonce) => DeriveFirst(primitives, prk, NonceInfo, nonce);

    private static void DeriveFirst(Primitives primitives, ReadOnlySpan<byte> prk, ReadOnlySpan<byte> info, Span<byte> destination)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        primitives.Hmac(prk, info, hash);
        hash[..destination.Length].CopyTo(destination);
        CryptographicOperations.ZeroMemory(hash);
    }
}
