using System.Buffers;
using System.Globalization;
using System.Text;

namespace Notify.WebPush;

/// <summary>
/// Makes a push service's words safe to log: printable, short, and without what they may echo of the request, which is the endpoint (a
/// capability URL) and the token.
/// </summary>
internal static class ReasonText
{
    /// <summary>Characters kept at most.</summary>
    internal const int MaxLength = 200;

    internal const string Redacted = "[redacted]";

    /// <summary>So many characters in common with the endpoint's path or query give a word away. The host may be named.</summary>
    private const int EchoLength = 8;

    /// <summary>No word and no error code has so many letters without a break; keys, tokens and digests have.</summary>
    private const int TokenLength = 32;

    private static readonly SearchValues<char> WordBreaks = SearchValues.Create(" \"'<>{}()[],;");

    private static readonly SearchValues<char> TokenAlphabet =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    /// <summary>The text made safe; null when nothing is left of it.</summary>
    internal static string? Clean(string text, Uri endpoint)
    {
        var path = endpoint.PathAndQuery;
        var unescapedPath = Uri.UnescapeDataString(path);
        var printable = ToPrintable(text).AsSpan();
        var result = new StringBuilder();
        while (!printable.IsEmpty && result.Length <= MaxLength)
        {
            var length = printable.IndexOfAny(WordBreaks);
            var word = length < 0 ? printable : printable[..length];
            var isSecret = HasToken(word) || Echoes(word, path) || Echoes(word, unescapedPath);
            result.Append(isSecret ? Redacted : word);
            printable = printable[word.Length..];
            if (!printable.IsEmpty)
            {
                result.Append(printable[0]);
                printable = printable[1..];
            }
        }

        var end = Math.Min(result.Length, MaxLength);
        if (end > 0 && char.IsHighSurrogate(result[end - 1]))
        {
            end--;
        }

        return result.ToString(0, end).Trim() is { Length: > 0 } reason ? reason : null;
    }

    private static bool Echoes(ReadOnlySpan<char> word, ReadOnlySpan<char> path)
    {
        var length = Math.Min(EchoLength, path.Length);
        for (var i = 0; length > 1 && i + length <= word.Length; i++)
        {
            if (path.Contains(word.Slice(i, length), StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static bool HasToken(ReadOnlySpan<char> word)
    {
        while (word.Length >= TokenLength)
        {
            var length = word.IndexOfAnyExcept(TokenAlphabet);
            if (length < 0 || length >= TokenLength)
            {
                return true;
            }

            word = word[(length + 1)..];
        }

        return false;
    }

    // Controls, line breaks and characters that turn the direction of text become spaces, and so do invalid bytes; spaces do not pile up.
    private static string ToPrintable(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            var isPrintable = rune != Rune.ReplacementChar && Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control
                or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.SpaceSeparator or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
            if (isPrintable)
            {
                result.Append(rune.ToString());
            }
            else if (result.Length > 0 && result[^1] != ' ')
            {
                result.Append(' ');
            }
        }

        return result.ToString();
    }
}
