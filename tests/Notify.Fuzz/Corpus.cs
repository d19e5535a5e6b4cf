using System.Globalization;
using System.Text.RegularExpressions;

namespace Notify.Fuzz;

/// <summary>What a target is fed with: the files of <c>corpus/TARGET</c>, and the words of <c>dictionaries/TARGET.dict</c>.</summary>
/// <param name="Files">Every file with its name, in the order of the names.</param>
/// <param name="Words">What afl-fuzz writes into inputs.</param>
internal sealed partial record Corpus(IReadOnlyList<(string Name, byte[] Content)> Files, IReadOnlyList<byte[]> Words)
{
    /// <summary>Reads a target's part of this project's folder.</summary>
    public static Corpus Read(string folder, string target) => new(
        [.. Directory.EnumerateFiles(Path.Combine(folder, "corpus", target)).Order(StringComparer.Ordinal).Select(file => (Path.GetFileName(file), File.ReadAllBytes(file)))],
        [.. File.ReadLines(Path.Combine(folder, "dictionaries", $"{target}.dict")).Select(line => ToWord(line.Trim()[1..^1]))]);

    private static byte[] ToWord(string text) =>
        [.. Escape().Replace(text, escape => $"{(char)byte.Parse(escape.ValueSpan[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture)}").Select(character => (byte)character)];

    [GeneratedRegex(@"\\x[0-9A-F]{2}")]
    private static partial Regex Escape();
}
