using System.Buffers;
using System.Buffers.Text;

namespace Notify.WebPush;

/// <summary>
/// Reads keys as they arrive: browsers send base64url (RFC 4648, section 5) without padding, other senders pad it or use the standard alphabet.
/// </summary>
internal static class Base64UrlText
{
    private static readonly SearchValues<char> Alphabet =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/");

    /// <summary>
    /// Decodes base64url or base64, padded in full or not at all; null for anything else: white space, and bits left over after the last
    /// byte that are not zero (RFC 4648, section 3.5), so that a key has one spelling only.
    /// </summary>
    internal static byte[]? Decode(string text)
    {
        var digits = text.AsSpan().TrimEnd('=');
        var padding = text.Length - digits.Length;
        if (padding > 2 || (padding > 0 && text.Length % 4 != 0))
        {
            return null;
        }

        if (digits.ContainsAnyExcept(Alphabet))
        {
            return null;
        }

        var urlDigits = new char[digits.Length];
        digits.Replace(urlDigits, '+', '-');
        urlDigits.AsSpan().Replace('/', '_');
        var bytes = new byte[Base64Url.GetMaxDecodedLength(urlDigits.Length)];
        var status = Base64Url.DecodeFromChars(urlDigits, bytes, out _, out var written);
        return status == OperationStatus.Done ? bytes[..written] : null;
    }
}
