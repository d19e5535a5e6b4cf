namespace Notify.Store.Encryption;

/// <summary>Section <c>Notify:Encryption</c>: the keys that secrets in the store are encrypted with (AES-256-GCM), the same on every worker.</summary>
public sealed class EncryptionOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:Encryption";

    /// <summary>Bytes of a key.</summary>
    internal const int KeyLength = 32;

    /// <summary>The key that is written with: base64 of 32 random bytes, as <c>openssl rand -base64 32</c> prints them. A secret. No default: without it, secrets are stored as they are.</summary>
    public string? Key { get; set; }

    /// <summary>Further keys that are read with: older ones until <c>encrypt</c> has run, and one that is to come while workers are restarted one after the other. No default.</summary>
    public IList<string> Previous { get; } = [];

    /// <summary>What is wrong with the keys, without repeating them.</summary>
    internal IEnumerable<string> Faults()
    {
        if (!string.IsNullOrEmpty(Key) && BytesOf(Key) is null)
        {
            yield return $"Notify__Encryption__Key must be base64 of {KeyLength} bytes ('openssl rand -base64 {KeyLength}' prints one).";
        }

        foreach (var (index, previous) in Previous.Index())
        {
            if (BytesOf(previous) is null)
            {
                yield return $"Notify__Encryption__Previous__{index} must be base64 of {KeyLength} bytes, as it was when it was Notify__Encryption__Key.";
            }
        }
    }

    internal static byte[]? BytesOf(string key)
    {
        var bytes = new byte[KeyLength];
        return Convert.TryFromBase64String(key, bytes, out var written) && written == KeyLength ? bytes : null;
    }
}
