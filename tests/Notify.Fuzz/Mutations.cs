namespace Notify.Fuzz;

/// <summary>Changes of an input such as afl-fuzz makes, blind to what they reach and the same for the same seed.</summary>
internal static class Mutations
{
    private const int MaxLength = 8192;

    private static readonly byte[] Boundaries = [0, 1, 0x20, 0x41, 0x7f, 0x80, 0xff];

    /// <summary>One input of the corpus after one to four changes.</summary>
    public static byte[] Of(byte[] input, Corpus corpus, Random random)
    {
        var bytes = input.ToList();
        for (var changes = random.Next(1, 5); changes > 0; changes--)
        {
            Change(bytes, corpus, random);
        }

        return [.. bytes.Take(MaxLength)];
    }

    private static void Change(List<byte> bytes, Corpus corpus, Random random)
    {
        var at = random.Next(bytes.Count + 1);
        var rest = bytes.Count - at;
        switch (random.Next(8))
        {
            case 0 when rest > 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when rest > 0:
                bytes[at] = Boundaries[random.Next(Boundaries.Length)];
                break;
            case 2 when rest > 0:
                bytes.RemoveRange(at, random.Next(1, Math.Min(rest, 32) + 1));
                break;
            case 3 when rest > 0:
                bytes.InsertRange(at, bytes.GetRange(at, random.Next(1, Math.Min(rest, 256) + 1)));
                break;
            case 4:
                bytes.RemoveRange(at, rest);
                break;
            case 5:
                var other = corpus.Files[random.Next(corpus.Files.Count)].Content;
                bytes.RemoveRange(at, rest);
                bytes.AddRange(other.Skip(random.Next(other.Length + 1)));
                break;
            case 6:
                var word = corpus.Words[random.Next(corpus.Words.Count)];
                bytes.RemoveRange(at, Math.Min(rest, word.Length));
                bytes.InsertRange(at, word);
                break;
            default:
                bytes.InsertRange(at, corpus.Words[random.Next(corpus.Words.Count)]);
                break;
        }
    }
}
