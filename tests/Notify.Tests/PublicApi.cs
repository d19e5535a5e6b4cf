using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace Notify.Tests;

/// <summary>The public types and members of an assembly as text: what other people compile against.</summary>
internal static class PublicApi
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    public static string Render(Assembly assembly)
    {
        var text = new StringBuilder();
        foreach (var type in assembly.GetExportedTypes().OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            var bases = new[] { type.BaseType }.Concat(type.GetInterfaces()).Where(t => t is not null && t != typeof(object)).Select(t => Name(t!));
            text.Append($"{Name(type)} : {string.Join(", ", bases.Order(StringComparer.Ordinal))}".TrimEnd(' ', ':')).Append('\n');
            var members = type.GetMembers(Declared).Where(m => IsWritten(m)).Select(Line).Order(StringComparer.Ordinal);
            foreach (var line in members)
            {
                text.Append("    ").Append(line).Append('\n');
            }
        }

        return text.ToString();
    }

    private static bool IsWritten(MemberInfo member) =>
        member is not (Type or FieldInfo { IsSpecialName: true } or MethodBase { IsSpecialName: true, IsConstructor: false })
        && (member is not MethodInfo || !member.IsDefined(typeof(CompilerGeneratedAttribute)));

    private static string Line(MemberInfo member) => member switch
    {
        FieldInfo { IsLiteral: true } field => $"const {Name(field.FieldType)} {field.Name} = {field.GetRawConstantValue()}",
        FieldInfo field => $"{Name(field.FieldType)} {field.Name}",
        PropertyInfo property => $"{Static(property.GetMethod!)}{Name(property.PropertyType)} {property.Name} {{ get;{Setter(property)} }}",
        ConstructorInfo constructor => $"new({Parameters(constructor)})",
        MethodInfo method => $"{Static(method)}{Name(method.ReturnType)} {method.Name}({Parameters(method)})",
        _ => member.ToString()!,
    };

    private static string Setter(PropertyInfo property) =>
        property.SetMethod is not { IsPublic: true } setter ? ""
        : setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? " init;" : " set;";

    private static string Static(MethodBase method) => method.IsStatic ? "static " : "";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p =>
        $"{Name(p.ParameterType)} {p.Name}{(p.HasDefaultValue ? " = default" : "")}"));

    private static string Name(Type type) => type.IsGenericType
        ? $"{type.Name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>"
        : type.IsNested ? $"{Name(type.DeclaringType!)}.{type.Name}" : type.Name;
}
