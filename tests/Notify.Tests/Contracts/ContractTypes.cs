using Notify.Contracts;

namespace Notify.Tests.Contracts;

/// <summary>The messages of Notify.Contracts, found by reflection: a new record is one until it is named here as a part of another.</summary>
internal static class ContractTypes
{
    /// <summary>Every message, commands too.</summary>
    public static IReadOnlyList<Type> Messages { get; } = [.. typeof(MessagePosted).Assembly.GetExportedTypes()
        .Where(type => type is { IsAbstract: false } && type != typeof(NotificationAction))
        .OrderBy(type => type.Name, StringComparer.Ordinal)];

    /// <summary>Those that others publish or consume: not the commands between Notify's own stages.</summary>
    public static IReadOnlyList<Type> Published { get; } = [.. Messages.Where(type => type != typeof(SendPush))];

    /// <summary>The version of the package.</summary>
    public static string Version { get; } = typeof(MessagePosted).Assembly.GetName().Version!.ToString(3);

    public static string CamelCase(string name) => char.ToLowerInvariant(name[0]) + name[1..];
}
