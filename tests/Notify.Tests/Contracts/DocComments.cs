using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Notify.Contracts;

namespace Notify.Tests.Contracts;

/// <summary>The doc comments of Notify.Contracts, in the words of those who read JSON: members in camel case, constants by value.</summary>
internal static partial class DocComments
{
    private static readonly Dictionary<string, XElement> Members = XDocument
        .Load(Path.Combine(AppContext.BaseDirectory, "Notify.Contracts.xml"))
        .Descendants("member")
        .ToDictionary(member => member.Attribute("name")!.Value);

    public static string Of(Type type) => Text(Members[$"T:{type.FullName}"].Element("summary")!, type);

    public static string Of(Type type, string property)
    {
        var comment = Members.GetValueOrDefault($"P:{type.FullName}.{property}")?.Element("summary")
            ?? Members[$"T:{type.FullName}"].Elements("param").Single(param => param.Attribute("name")!.Value == property);
        return Text(comment, type);
    }

    private static string Text(XElement comment, Type type) => Spaces().Replace(
        string.Concat(comment.Nodes().Select(node => node is XElement { Name.LocalName: "see" } see ? Words(see.Attribute("cref")!.Value, type) : node is XElement element ? element.Value : $"{node}")), " ").Trim();

    private static string Words(string cref, Type type)
    {
        var (kind, name) = (cref[0], cref[2..]);
        if (kind == 'T')
        {
            var referred = typeof(MessagePosted).Assembly.GetType(name)!;
            return referred.IsAbstract ? string.Join(", ", referred.GetFields().Select(field => field.GetRawConstantValue())) : referred.Name;
        }

        var (owner, member) = (name[..name.LastIndexOf('.')], name[(name.LastIndexOf('.') + 1)..]);
        var declaring = typeof(MessagePosted).Assembly.GetType(owner)!;
        return declaring.GetField(member) is { IsLiteral: true } constant ? string.Format(CultureInfo.InvariantCulture, "{0:N0}", constant.GetRawConstantValue())
            : declaring == type ? ContractTypes.CamelCase(member)
            : $"{declaring.Name}.{ContractTypes.CamelCase(member)}";
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
