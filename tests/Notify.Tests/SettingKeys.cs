using System.Collections;
using System.Reflection;

namespace Notify.Tests;

/// <summary>What may be set, in the spelling of environment variables, as the options classes have it.</summary>
internal static class SettingKeys
{
    /// <summary>The keys of all options; an item of a list is <c>__N</c>.</summary>
    public static IReadOnlyList<string> OfOptions()
    {
        var sections = typeof(NotifyApplication).Assembly.GetTypes()
            .Select(type => (Type: type, Section: type.GetField("Section", BindingFlags.Public | BindingFlags.Static)?.GetRawConstantValue() as string))
            .Where(options => options.Section is not null)
            .ToList();
        Assert.True(sections.Count >= 8);
        return [.. sections.SelectMany(options => Keys(options.Type, options.Section!.Replace(":", "__", StringComparison.Ordinal)))];
    }

    private static IEnumerable<string> Keys(Type type, string prefix) => type.GetProperties().SelectMany(property =>
    {
        var key = $"{prefix}__{property.Name}";
        var isList = property.PropertyType != typeof(string) && property.PropertyType.IsAssignableTo(typeof(IEnumerable));
        var item = isList ? property.PropertyType.GetGenericArguments()[0] : null;
        return item is null ? [key] : item == typeof(string) ? [$"{key}__N"] : Keys(item, $"{key}__N");
    });
}
