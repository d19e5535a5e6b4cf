using System.Security.Cryptography;

namespace Notify.LocalPushService;

/// <summary>The user agent's half of RFC 8291, on the base class library alone.</summary>
internal static class MessageDecryption
{
    // RFC 8188, section 2: the delimiter of the last record; the only one there is.
    private const byte LastRecord = 2;

    /// <summary>The plaintext of an aes128gcm body.</summary>
    /// <exception cref="CryptographicException">The body was not made for this key and secret, or is malformed.</exception>
    public static byte[] Decrypt(ECDiffieHellman uaKey, ReadOnlySpan<byte> uaPublic, ReadOnlySpan<byte> authSecret, ReadOnlySpan<byte> body)
    {
        if (EncryptedBody.Check(body, checkKey: false) is { } refusal)
        {
            throw new CryptographicException(refusal.Message);
        }

        ReadOnlySpan<byte> salt = EncryptedBody.Salt(body);
        ReadOnlySpan<byte> asPublic = EncryptedBody.KeyId(body);
        using ECDiffieHellman asKey = ECDiffieHellman.Create(P256.Parameters(asPublic));
        using ECDiffieHellmanPublicKey peer = asKey.PublicKey;
        byte[] ecdhSecret = uaKey.DeriveRawSecretAgreement(peer);

        // RFC 8291, section 3.4: PRK_key, then IKM with key_info = "WebPush: info" || 0x00 || ua_public || as_public.
        Span<byte> ikm = stackalloc byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, ecdhSecret, ikm, authSecret, [.. "WebPush: info\0"u8, .. uaPublic, .. asPublic]);

        // RFC 8188, sections 2.2 and 2.3; the sequence number of the only record is 0, so the nonce is used as derived.
        Span<byte> contentEncryptionKey = stackalloc byte[16];
        Span<byte> nonce = stackalloc byte[12];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, ikm, contentEncryptionKey, salt, "Content-Encoding: aes128gcm\0"u8);
        HKDF.DeriveKey(HashAlgorithmName.SHA256, ikm, nonce, salt, "Content-Encoding: nonce\0"u8);

        ReadOnlySpan<byte> record = body[EncryptedBody.HeaderLength..];
        byte[] padded = new byte[record.Length - EncryptedBody.TagLength];
        using var aes = new AesGcm(contentEncryptionKey, EncryptedBody.TagLength);
        aes.Decrypt(nonce, record[..padded.Length], record[padded.Length..], padded);

        int delimiter = padded.AsSpan().LastIndexOfAnyExcept((byte)0);
        return delimiter >= 0 && padded[delimiter] == LastRecord
            ? padded[..delimiter]
            : throw new CryptographicException("The record does not end in the delimiter of the last record.");
    }
}
