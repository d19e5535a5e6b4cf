using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>
/// Message encryption for Web Push (RFC 8291) in the content coding aes128gcm (RFC 8188): one record, one fresh salt and one fresh key pair
/// for every message.
/// </summary>
public static class ContentEncryption
{
    /// <summary>RFC 8188, section 2.1: salt.</summary>
    internal const int SaltLength = 16;

    /// <summary>RFC 8188, section 2.1: rs, four bytes in network order, then idlen, one byte.</summary>
    private const int RecordSizeLength = 4;
    private const int KeyIdOffset = SaltLength + RecordSizeLength + 1;

    /// <summary>RFC 8291, section 4: the key identifier is the application server's public key as_public.</summary>
    private const int HeaderLength = KeyIdOffset + P256.PointLength;

    /// <summary>RFC 8291, section 4: one record; every push service takes a body of 4096 bytes, and no content fills more than that.</summary>
    private const int RecordSize = 4096;

    /// <summary>RFC 8188, section 2: the delimiter that ends the last record. No padding follows it.</summary>
    private const byte LastRecordDelimiter = 0x02;

    /// <summary>Bytes of the body for so many bytes of content: 103 more, header, delimiter and tag.</summary>
    /// <exception cref="ArgumentException">The number is negative or more than <see cref="PushMessage.MaxContentLength"/>.</exception>
    public static int GetEncryptedLength(int contentLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(contentLength);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(contentLength, PushMessage.MaxContentLength);
        return HeaderLength + contentLength + 1 + Primitives.TagLength;
    }

    /// <summary>Encrypts content for a subscription. Content and destination may overlap.</summary>
    /// <param name="subscription">Whose keys to encrypt for.</param>
    /// <param name="content">0 to 3993 bytes.</param>
    /// <param name="destination">At least <see cref="GetEncryptedLength"/> bytes; takes the body of the request.</param>
    /// <returns>Bytes written.</returns>
    /// <exception cref="ArgumentException">The content is too long or the destination too short.</exception>
    public static int Encrypt(PushSubscription subscription, ReadOnlySpan<byte> content, Span<byte> destination)
    {
        Span<byte> salt = stackalloc byte[SaltLength];
        RandomNumberGenerator.Fill(salt);
        return Encrypt(subscription, content, destination, salt, Primitives.Default, asPrivate: []);
    }

    /// <summary>
    /// Encrypts with a given salt, and with a given private key or, where that is empty, a fresh one; neither must ever be used again: (1) lay out plaintext and header in the
    /// destination, (2) agree on ecdh_secret, (3) derive IKM for this pair of keys, (4) derive CEK and NONCE for this salt, (5) encrypt in place.
    /// </summary>
    internal static int Encrypt(
        PushSubscription subscription, ReadOnlySpan<byte> content, Span<byte> destination, ReadOnlySpan<byte> salt, Primitives primitives, ReadOnlySpan<byte> asPrivate)
    {
        var length = GetEncryptedLength(content.Length);
        if (destination.Length < length)
        {
            throw new ArgumentException($"The destination must have {length} bytes; it has {destination.Length}.", nameof(destination));
        }

        // 1. The content moves first, so that it may lie where the header goes.
        var body = destination[..length];
        var record = body[HeaderLength..^Primitives.TagLength];
        content.CopyTo(record);
        record[^1] = LastRecordDelimiter;
        salt.CopyTo(body);
        BinaryPrimitives.WriteUInt32BigEndian(body[SaltLength..], RecordSize);
        body[KeyIdOffset - 1] = P256.PointLength;
        var asPublic = body[KeyIdOffset..HeaderLength];

        Span<byte> secrets = stackalloc byte[Primitives.SecretLength + (2 * KeyDerivation.PrkLength) + KeyDerivation.IkmLength + KeyDerivation.CekLength + KeyDerivation.NonceLength];
        var ecdhSecret = secrets[..Primitives.SecretLength];
        var prkKey = secrets.Slice(ecdhSecret.Length, KeyDerivation.PrkLength);
        var ikm = secrets.Slice(ecdhSecret.Length + prkKey.Length, KeyDerivation.IkmLength);
        var prk = secrets.Slice(ecdhSecret.Length + prkKey.Length + ikm.Length, KeyDerivation.PrkLength);
        var cek = secrets.Slice(ecdhSecret.Length + prkKey.Length + ikm.Length + prk.Length, KeyDerivation.CekLength);
        var nonce = secrets[^KeyDerivation.NonceLength..];
        try
        {
            // 2.
            if (asPrivate.IsEmpty)
            {
                primitives.Agree(subscription, asPublic, ecdhSecret);
            }
            else
            {
                primitives.Agree(subscription, asPrivate, asPublic, ecdhSecret);
            }

            // 3.
            KeyDerivation.DerivePrkKey(primitives, subscription.AuthSecret, ecdhSecret, prkKey);
            KeyDerivation.DeriveIkm(primitives, prkKey, subscription.UaPublic, asPublic, ikm);

            // 4.
            KeyDerivation.DerivePrk(primitives, salt, ikm, prk);
            KeyDerivation.DeriveCek(primitives, prk, cek);
            KeyDerivation.DeriveNonce(primitives, prk, nonce);

            // 5.
            primitives.Encrypt(cek, nonce, record, body[^Primitives.TagLength..]);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secrets);
            primitives.Forget();
        }

        return length;
    }
}
