using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>
/// What the encryption of a message is made of: a key pair and a shared secret on P-256 (RFC 8291, section 3.1), HMAC-SHA-256 (section 3.4), AEAD_AES_128_GCM (RFC 8188, section 2).
/// </summary>
/// <remarks>The caller sees to the lengths.</remarks>
internal abstract class Primitives
{
    /// <summary>Bytes of ecdh_secret: the x coordinate of the shared point.</summary>
    internal const int SecretLength = P256.ScalarLength;

    /// <summary>Bytes of AES-GCM's tag.</summary>
    internal const int TagLength = 16;

    /// <summary>The fastest that work on this machine.</summary>
    internal static Primitives Default { get; } = LibcryptoPrimitives.TryCreate() ?? (Primitives)new PortablePrimitives();

    /// <summary>Whether 65 bytes that begin with 0x04 are a point of the curve.</summary>
    internal abstract bool IsOnCurve(ReadOnlySpan<byte> point);

    /// <summary>Makes a key pair, and agrees with it.</summary>
    /// <param name="subscription">Whose ua_public to agree with.</param>
    /// <param name="asPublic">Takes the 65 bytes of as_public.</param>
    /// <param name="ecdhSecret">Takes the 32 bytes of ecdh_secret; the caller clears them.</param>
    /// <exception cref="CryptographicException">It failed; nothing of what was written is to be used.</exception>
    internal abstract void Agree(PushSubscription subscription, Span<byte> asPublic, Span<byte> ecdhSecret);

    /// <summary>Agrees with a given private key of 32 bytes, which must never be used again.</summary>
    /// <inheritdoc cref="Agree(PushSubscription, Span{byte}, Span{byte})" />
    internal abstract void Agree(PushSubscription subscription, ReadOnlySpan<byte> asPrivate, Span<byte> asPublic, Span<byte> ecdhSecret);

    /// <summary>HMAC-SHA-256.</summary>
    /// <param name="key">One byte or more.</param>
    /// <param name="data">Any number of bytes.</param>
    /// <param name="mac">Takes 32 bytes.</param>
    /// <exception cref="CryptographicException">It failed; nothing of what was written is to be used.</exception>
    internal abstract void Hmac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> data, Span<byte> mac);

    /// <summary>Encrypts in place by AES-128-GCM, with no additional data.</summary>
    /// <param name="key">16 bytes.</param>
    /// <param name="nonce">12 bytes; never the same twice for one key.</param>
    /// <param name="text">The plaintext; takes the ciphertext.</param>
    /// <param name="tag">Takes 16 bytes.</param>
    /// <exception cref="CryptographicException">It failed; nothing of what was written is to be used.</exception>
    internal abstract void Encrypt(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, Span<byte> text, Span<byte> tag);

    /// <summary>Clears what objects that are used again still know of a message's keys. To be called once a message is done with, on the thread that it was done on.</summary>
    internal abstract void Forget();
}
