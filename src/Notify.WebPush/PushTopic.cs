using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Notify.WebPush;

/// <summary>Topics that every push service takes (RFC 8030, section 5.4).</summary>
public static class PushTopic
{
    // 24 bytes are exactly 32 characters of base64url, the longest topic allowed.
    private const int DigestLength = 24;

    /// <summary>
    /// The topic of a tag of any length and alphabet: the first 24 bytes of the SHA-256 of its UTF-8, as 32 characters of base64url.
    /// The push service can tell equal tags, and one that it can guess: a tag is no place for a secret.
    /// </summary>
    public static string From(string tag)
    {
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(tag), digest);
        return Base64Url.EncodeToString(digest[..DigestLength]);
    }
}
