using System.Collections;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Notify;

/// <summary>A section of the configuration and the options that it is bound to: says what .NET's binder does not say so that one could act on it.</summary>
/// <param name="Name">Such as <c>Notify:Sending</c>.</param>
/// <param name="Options">The class of its options.</param>
internal sealed record SettingsSection(string Name, Type Options)
{
    /// <summary>Refuses what cannot be read, and says what to set instead. Texts, which may be secrets, are not repeated.</summary>
    /// <exception cref="OptionsValidationException">Something cannot be read.</exception>
    public void ThrowIfUnreadable(IConfiguration configuration)
    {
        if (Faults(Options, configuration.GetSection(Name)).ToList() is { Count: > 0 } faults)
        {
            throw new OptionsValidationException(Name, Options, faults);
        }
    }

    /// <summary>What the options' attributes do not allow, by the settings' names.</summary>
    public IEnumerable<string> OutOfRange(object options)
    {
        var results = new List<ValidationResult>();
        Validator.TryValidateObject(options, new ValidationContext(options), results, validateAllProperties: true);
        return results.Select(result => result.MemberNames.Aggregate($"{result}", (said, member) => said.Replace($"The field {member}", Spelled($"{Name}:{member}"), StringComparison.Ordinal)));
    }

    /// <summary>The keys in the configuration that belong to no section, as one would set them.</summary>
    public static IEnumerable<string> UnknownKeys(IReadOnlyList<SettingsSection> sections, IConfiguration configuration)
    {
        var known = sections.SelectMany(section => section.Options.GetProperties().Select(property => (Path: $"{section.Name}:{property.Name}", property.PropertyType))).ToList();
        return configuration.GetSection(NotifyOptions.Section).AsEnumerable().Where(setting => setting.Value is not null && !known.Any(one => Is(setting.Key, one.Path, one.PropertyType)))
            .Select(setting => Spelled(setting.Key)).Order(StringComparer.Ordinal);
    }

    private static bool Is(string key, string path, Type type) =>
        key.Equals(path, StringComparison.OrdinalIgnoreCase)
        || (key.StartsWith($"{path}:", StringComparison.OrdinalIgnoreCase) && ItemOf(type) is { } item
            && key[(path.Length + 1)..].Split(':') is var rest && (rest.Length == 1 || (rest.Length == 2 && item.GetProperties().Any(property => property.Name.Equals(rest[1], StringComparison.OrdinalIgnoreCase)))));

    private static IEnumerable<string> Faults(Type type, IConfigurationSection section) =>
        type.GetProperties().SelectMany(property => FaultsOf(property.PropertyType, section.GetSection(property.Name)));

    private static IEnumerable<string> FaultsOf(Type type, IConfigurationSection setting)
    {
        var key = Spelled(setting.Path);
        if (ItemOf(type) is { } item)
        {
            return setting.Value is { Length: > 0 } ? [$"{key} is a list: set {key}__0, {key}__1 and so on."]
                : item == typeof(string) ? []
                : setting.GetChildren().SelectMany(child => child.Value is { Length: > 0 } ? [GroupFault(item, Spelled(child.Path))] : Faults(item, child));
        }

        return setting.Value is { } value && !CanBe(type, value) ? [$"{key} is '{value}'; set {Expected(Nullable.GetUnderlyingType(type) ?? type)}."] : [];
    }

    private static string GroupFault(Type type, string key) => $"{key} is no setting by itself: set {string.Join(" and ", type.GetProperties().Select(property => $"{key}__{property.Name}"))}.";

    private static bool CanBe(Type type, string value)
    {
        if (type.IsEnum)
        {
            // .NET takes a number too.
            return Enum.GetNames(type).Contains(value, StringComparer.OrdinalIgnoreCase);
        }

        try
        {
            if (type != typeof(string))
            {
                TypeDescriptor.GetConverter(type).ConvertFromInvariantString(value);
            }

            return true;
        }
        catch (Exception exception) when (exception is FormatException or ArgumentException or OverflowException)
        {
            return false;
        }
    }

    private static string Expected(Type type) =>
        type.IsEnum ? $"one of {string.Join(", ", Enum.GetNames(type))}"
        : type == typeof(bool) ? "true or false"
        : type == typeof(TimeSpan) ? "a time, hh:mm:ss or d.hh:mm:ss"
        : "a whole number";

    private static Type? ItemOf(Type type) => type != typeof(string) && type.IsAssignableTo(typeof(IEnumerable)) ? type.GetGenericArguments()[0] : null;

    private static string Spelled(string path) => path.Replace(":", "__", StringComparison.Ordinal);
}
