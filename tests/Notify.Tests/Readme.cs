namespace Notify.Tests;

/// <summary>Code that a README shows is code that the tests run.</summary>
internal static class Readme
{
    /// <summary>Lines of the first block of C#, without the indentation.</summary>
    public static IReadOnlyList<string> CodeOf(string readme) => [.. Lines(readme).SkipWhile(line => line != "```csharp").Skip(1).TakeWhile(line => line != "```")];

    /// <summary>The block must stand in the source as it is in the README, but for the indentation.</summary>
    public static void CheckCode(string readme, string source)
    {
        var code = CodeOf(readme);
        Assert.NotEmpty(code);
        Assert.True(
            string.Join('\n', Lines(source)).Contains(string.Join('\n', code), StringComparison.Ordinal),
            $"The first block of C# in {readme} does not stand in {source}: copy it from there.");
    }

    private static IEnumerable<string> Lines(string file) => File.ReadLines(Path.Combine(Repository.Root, file)).Select(line => line.Trim());
}
