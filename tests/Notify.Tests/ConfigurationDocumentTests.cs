using System.Collections;
using System.Reflection;

namespace Notify.Tests;

public sealed class ConfigurationDocumentTests
{
    private static readonly string Document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "configuration.md"));

    [Fact]
    public void Every_option_has_a_row()
    {
        var sections = typeof(NotifyApplication).Assembly.GetTypes()
            .Select(type => (Type: type, Section: type.GetField("Section", BindingFlags.Public | BindingFlags.Static)?.GetRawConstantValue() as string))
            .Where(options => options.Section is not null)
            .ToList();
        Assert.True(sections.Count >= 8);

        var keys = sections.SelectMany(options => Keys(options.Type, options.Section!.Replace(":", "__", StringComparison.Ordinal))).ToList();

        Assert.All(keys, key => Assert.Contains($"`{key}`", Document, StringComparison.Ordinal));
    }

    private static IEnumerable<string> Keys(Type type, string prefix) => type.GetProperties().SelectMany(property =>
    {
        var key = $"{prefix}__{property.Name}";
        var isList = property.PropertyType != typeof(string) && property.PropertyType.IsAssignableTo(typeof(IEnumerable));
        var item = isList ? property.PropertyType.GetGenericArguments()[0] : null;
        return item is null ? [key] : item == typeof(string) ? [$"{key}__N"] : Keys(item, $"{key}__N");
    });
}
