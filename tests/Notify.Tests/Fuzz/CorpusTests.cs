using Notify.Fuzz;

namespace Notify.Tests.Fuzz;

/// <summary>What the fuzzer has gathered, and seeded changes of it, through the fuzzer's targets: seconds instead of hours.</summary>
public sealed class CorpusTests
{
    private const int Seed = 1;

    private static readonly string Folder = Path.Combine(Repository.Root, "tests", "Notify.Fuzz");

    [Fact]
    public void Every_target_has_a_corpus_and_every_corpus_a_target() =>
        Assert.Equal(
            FuzzTarget.All.Select(target => target.Name).Order(StringComparer.Ordinal),
            Directory.GetDirectories(Path.Combine(Folder, "corpus")).Select(Path.GetFileName).Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("subscription", 20_000)]
    [InlineData("retry-after", 20_000)]
    [InlineData("plain-json", 20_000)]
    [InlineData("receipt", 20_000)]
    [InlineData("decryption", 2_000)]
    [InlineData("vapid", 6_000)]
    public void No_input_ends_otherwise_than_documented(string name, int mutations)
    {
        var target = FuzzTarget.Find(name)!;
        var corpus = Corpus.Read(Folder, name);
        var random = new Random(Seed);
        Assert.All(corpus.Files, file => Run(target, file.Name, file.Content));
        for (var i = 0; i < mutations; i++)
        {
            var (file, content) = corpus.Files[i % corpus.Files.Count];
            Run(target, $"{file}, mutation {i} of seed {Seed}", Mutations.Of(content, corpus, random));
        }
    }

    private static void Run(FuzzTarget target, string origin, byte[] input)
    {
        try
        {
            target.Run(input);
        }
        catch (Exception e)
        {
            Assert.Fail($"{target.Name}, {origin}: {Convert.ToBase64String(input)} in base64 ends in {e}");
        }
    }
}
