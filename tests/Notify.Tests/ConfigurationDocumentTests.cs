namespace Notify.Tests;

public sealed class ConfigurationDocumentTests
{
    private static readonly string Document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md"));

    [Fact]
    public void Every_option_has_a_row() =>
        Assert.All(SettingKeys.OfOptions(), key => Assert.Contains($"`{key}`", Document, StringComparison.Ordinal));
}
