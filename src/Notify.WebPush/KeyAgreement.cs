using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>
/// The curve's part of the encryption (RFC 8291, section 3.1): the application server's key pair of one message, and the secret that it shares with the user agent's.
/// Nearly all of the time that a message takes goes here.
/// </summary>
internal abstract class KeyAgreement
{
    /// <summary>Bytes of ecdh_secret: the x coordinate of the shared point.</summary>
    internal const int SecretLength = P256.ScalarLength;

    /// <summary>The fastest that works on this machine.</summary>
    internal static KeyAgreement Default { get; } = LibcryptoKeyAgreement.TryCreate() ?? (KeyAgreement)new PortableKeyAgreement();

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
}
