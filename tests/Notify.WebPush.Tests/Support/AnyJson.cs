using FsCheck;
using FsCheck.Fluent;

namespace Notify.WebPush.Tests.Support;

/// <summary>Generates JSON texts of any shape, in which the given names and values come up more often than chance would have them.</summary>
internal static class AnyJson
{
    private static readonly string[] Oddities =
    [
        "null", "true", "false", "0", "-1", "1.5", "1e999", "-1e-999", "99999999999999999999", "\"\"", "\" \"", "\"text\"", "\"\\u0000\"",
        "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\ud83c\\udf89\"", "[]", "{}", "[null]", "{\"\":null}",
    ];

    internal static Arbitrary<string> Of(string[] names, params string[] values)
    {
        var name = Gen.Elements([.. names, "unknown", "\\ud800"]);
        var value = Gen.Frequency((1, Gen.Elements(Oddities)), (2, Gen.Elements(values)));
        return Gen.Frequency((9, Object(3)), (1, Any(3))).ToArbitrary();

        Gen<string> Any(int depth) => depth == 0 ? value : Gen.Frequency((3, value), (1, Array(depth)), (1, Object(depth)));

        Gen<string> Array(int depth) => Some(Any(depth - 1)).Select(items => $"[{string.Join(",", items)}]");

        Gen<string> Object(int depth) => Some(name.Zip(Any(depth - 1))).Select(members => $$"""{{{string.Join(",", members.Select(member => $"\"{member.Item1}\":{member.Item2}"))}}}""");
    }

    private static Gen<T[]> Some<T>(Gen<T> item) => Gen.Choose(0, 6).SelectMany(count => Gen.ArrayOf(item, count));
}
