using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace Notify.Store.Encryption;

/// <summary>
/// Encrypts what the store keeps of secrets, with AES-256-GCM: <c>v1.KEYID.DATA</c>, where DATA is base64url of nonce (12 bytes), ciphertext and tag (16 bytes). The context, which names
/// column and row, is authenticated with it, so that no text counts in another's place. Text without that form was stored before there was a key, and counts as it stands.
/// </summary>
public sealed class SecretCipher
{
    internal const int MaxKeyIdLength = 12;

    private const string Version = "v1.";

    private static readonly int NonceLength = AesGcm.NonceByteSizes.MaxSize;
    private static readonly int TagLength = AesGcm.TagByteSizes.MaxSize;

    private readonly Dictionary<string, byte[]> _keys = new(StringComparer.Ordinal);

    /// <summary>Reads the keys once.</summary>
    public SecretCipher(IOptions<EncryptionOptions> options)
    {
        foreach (var previous in options.Value.Previous)
        {
            Add(previous);
        }

        CurrentKeyId = options.Value.Key is { Length: > 0 } key ? Add(key) : null;
    }

    /// <summary>Without keys: what is stored is what it says.</summary>
    public static SecretCipher None { get; } = new(Options.Create(new EncryptionOptions()));

    /// <summary>Names the key that is written with; null if secrets are stored as they are.</summary>
    public string? CurrentKeyId { get; }

    /// <summary>The ids of all configured keys.</summary>
    public IReadOnlyCollection<string> KeyIds => _keys.Keys;

    /// <summary>What to store for a secret.</summary>
    /// <param name="secret">The secret.</param>
    /// <param name="context">Column and row; the same for <see cref="Decrypt"/>.</param>
    public string Encrypt(string secret, string context)
    {
        if (CurrentKeyId is null)
        {
            return secret;
        }

        var plaintext = Encoding.UTF8.GetBytes(secret);
        var data = new byte[NonceLength + plaintext.Length + TagLength];
        RandomNumberGenerator.Fill(NonceOf(data));
        using var aes = new AesGcm(_keys[CurrentKeyId], TagLength);
        aes.Encrypt(NonceOf(data), plaintext, CiphertextOf(data), TagOf(data), Encoding.UTF8.GetBytes(context));
        return $"{Version}{CurrentKeyId}.{Base64Url.EncodeToString(data)}";
    }

    /// <summary>The secret that was stored.</summary>
    /// <exception cref="SecretCipherException">No configured key reads it.</exception>
    public string Decrypt(string stored, string context) =>
        TryDecrypt(stored, context, out var secret) ? secret : throw new SecretCipherException(KeyIdOf(stored));

    /// <summary>The secret that was stored, if a configured key reads it.</summary>
    public bool TryDecrypt(string stored, string context, [NotNullWhen(true)] out string? secret)
    {
        if (KeyIdOf(stored) is not { } keyId)
        {
            secret = stored;
            return true;
        }

        secret = null;
        if (!_keys.TryGetValue(keyId, out var key) || DataOf(stored, keyId) is not { } data)
        {
            return false;
        }

        try
        {
            var plaintext = new byte[CiphertextOf(data).Length];
            using var aes = new AesGcm(key, TagLength);
            aes.Decrypt(NonceOf(data), CiphertextOf(data), TagOf(data), plaintext, Encoding.UTF8.GetBytes(context));
            secret = Encoding.UTF8.GetString(plaintext);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    /// <summary>Whether a text is stored as <see cref="Encrypt"/> would store it now.</summary>
    public bool IsCurrent(string stored) => KeyIdOf(stored) == CurrentKeyId;

    // 6 bytes of a digest: they tell keys apart, and nothing of a random key.
    private string Add(string key)
    {
        var bytes = EncryptionOptions.BytesOf(key)!;
        var id = Convert.ToHexStringLower(SHA256.HashData([.. "Notify encryption key "u8, .. bytes]).AsSpan(0, MaxKeyIdLength / 2));
        _keys[id] = bytes;
        return id;
    }

    // Neither base64url nor base64 has a dot.
    private static string? KeyIdOf(string stored) =>
        stored.StartsWith(Version, StringComparison.Ordinal) && stored.IndexOf('.', Version.Length) is var end and > 0 ? stored[Version.Length..end] : null;

    private static byte[]? DataOf(string stored, string keyId)
    {
        var text = stored.AsSpan(Version.Length + keyId.Length + 1);
        return Base64Url.IsValid(text) && Base64Url.DecodeFromChars(text) is var data && data.Length >= NonceLength + TagLength ? data : null;
    }

    private static Span<byte> NonceOf(byte[] data) => data.AsSpan(0, NonceLength);

    private static Span<byte> CiphertextOf(byte[] data) => data.AsSpan(NonceLength, data.Length - NonceLength - TagLength);

    private static Span<byte> TagOf(byte[] data) => data.AsSpan(data.Length - TagLength);
}

/// <summary>A stored secret was encrypted with a key that is not configured, or was changed since.</summary>
public sealed class SecretCipherException(string? keyId) : InvalidOperationException($"A stored secret cannot be read with the configured keys; it was encrypted with the key {keyId}.");
