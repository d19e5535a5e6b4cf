using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using Notify.Contracts;
using Notify.Fanout;

namespace Notify.Tests.Contracts;

/// <summary>The JSON Schemas of the messages: shape from the records, words from their doc comments, limits from <see cref="MessageRules"/>.</summary>
/// <remarks>Draft 2020-12, of which only keywords are used that mean the same in draft 7, since that is what AsyncAPI has.</remarks>
internal static class ContractSchemas
{
    /// <summary>As MassTransit and plain JSON have it.</summary>
    public static readonly JsonSerializerOptions CamelCase = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
        NewLine = "\n",
    };

    private static readonly JsonSerializerOptions Nullability = new(CamelCase) { RespectNullableAnnotations = true };

    // "Not" with what is forbidden, rather than a pattern of what is allowed: $ means different things in different engines.
    private const string Control = @"\u0000-\u001f\u007f-\u009f";
    private const string Space = @"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";
    private const string Blank = $@"\u0009-\u000d\u0085{Space}";

    private static readonly Func<JsonObject> Url = () => new()
    {
        ["maxLength"] = MessageRules.MaxUrlLength,
        ["pattern"] = @"^(/(?![/\\])| *[Hh][Tt][Tt][Pp][Ss]?:[/\\]{2})",
        ["not"] = Pattern($"[{Control}]"),
    };

    // The record knows no null; where the event arrives, it is as if the member were absent.
    private static readonly Func<JsonObject> BooleanOrNull = () => new() { ["type"] = new JsonArray("boolean", "null") };

    private static readonly Func<JsonObject> Id = () => new() { ["minLength"] = 1, ["maxLength"] = MessageRules.MaxIdLength, ["not"] = Pattern($"[{Control}]") };

    private static readonly Dictionary<(Type, string), Func<JsonObject>> Limits = new()
    {
        [(typeof(MessagePosted), "messageId")] = () => new() { ["not"] = new JsonObject { ["const"] = $"{Guid.Empty}" } },
        [(typeof(MessagePosted), "conversationId")] = () => new() { ["maxLength"] = MessageRules.MaxIdLength },
        [(typeof(MessagePosted), "authorId")] = () => new() { ["not"] = Pattern($"^[{Blank}]|[{Blank}]$") },
        [(typeof(MessagePosted), "recipientIds")] = () => new()
        {
            ["minItems"] = 1,
            ["maxItems"] = MessagePosted.MaxRecipients,
            ["items"] = new JsonObject { ["type"] = "string", ["minLength"] = 1, ["maxLength"] = MessageRules.MaxIdLength, ["not"] = Pattern($"^[{Space}]|[{Space}]$|[{Control}]") },
        },
        [(typeof(MessagePosted), "title")] = () => new() { ["minLength"] = 1, ["maxLength"] = MessageRules.MaxTitleLength, ["pattern"] = $"[^{Blank}]" },
        [(typeof(MessagePosted), "body")] = () => new() { ["maxLength"] = MessageRules.MaxBodyLength },
        [(typeof(MessagePosted), "url")] = Url,
        [(typeof(MessagePosted), "tag")] = () => new() { ["maxLength"] = MessageRules.MaxIdLength },
        [(typeof(MessagePosted), "icon")] = Url,
        [(typeof(MessagePosted), "image")] = Url,
        [(typeof(MessagePosted), "requireInteraction")] = BooleanOrNull,
        [(typeof(MessagePosted), "silent")] = BooleanOrNull,
        [(typeof(MessagePosted), "renotify")] = BooleanOrNull,
        [(typeof(MessagePosted), "appBadge")] = () => new() { ["minimum"] = 0, ["maximum"] = int.MaxValue },
        [(typeof(MessagePosted), "urgency")] = () => new() { ["enum"] = new JsonArray([.. MessageRules.Urgencies.Select(urgency => (JsonNode)urgency), null]) },
        [(typeof(MessagePosted), "ttlSeconds")] = () => new() { ["minimum"] = 0, ["maximum"] = MessageRules.MaxTtlSeconds },
        [(typeof(NotificationAction), "action")] = Id,
        [(typeof(NotificationAction), "title")] = Id,
        [(typeof(NotificationAction), "url")] = Url,
        [(typeof(NotificationAction), "icon")] = Url,
    };

    private static readonly Func<JsonObject> NotBothSilentAndRenotify = () => new()
    {
        ["properties"] = new JsonObject { ["silent"] = new JsonObject { ["const"] = true }, ["renotify"] = new JsonObject { ["const"] = true } },
        ["required"] = new JsonArray("silent", "renotify"),
    };

    /// <summary>The committed file.</summary>
    public static string FileOf(Type message) => $"contracts/schemas/{message.Name}.json";

    public static string Render(Type message)
    {
        var schema = new JsonObject { ["$schema"] = "https://json-schema.org/draft/2020-12/schema", ["title"] = message.Name };
        Add(schema, Describe(message, Nullability.GetJsonSchemaAsNode(message, new JsonSchemaExporterOptions { TreatNullObliviousAsNonNullable = true }).AsObject()));
        if (message == typeof(MessagePosted))
        {
            // Absent, these are refused where the event arrives, although the record itself can be made without.
            schema["required"] = new JsonArray("messageId", "recipientIds", "title");
            schema["not"] = NotBothSilentAndRenotify();
            schema["description"] += " Lengths are counted in UTF-16 code units. With its URLs, actions and tag a notification must fit a push message: 3,993 bytes, some of them for its receipt; only the body is cut. Members may also be in Pascal case; unknown ones are ignored.";
        }

        return schema.ToJsonString(CamelCase) + "\n";
    }

    private static JsonObject Describe(Type type, JsonObject schema)
    {
        var described = new JsonObject { ["description"] = DocComments.Of(type) };
        Add(described, schema);
        foreach (var property in type.GetProperties())
        {
            var name = ContractTypes.CamelCase(property.Name);
            var member = new JsonObject { ["description"] = DocComments.Of(type, property.Name) };
            Add(member, described["properties"]![name]!.AsObject());
            if (property.PropertyType == typeof(IReadOnlyList<NotificationAction>))
            {
                member["items"] = Describe(typeof(NotificationAction), member["items"]!.DeepClone().AsObject());
            }

            Add(member, Limits.GetValueOrDefault((type, name))?.Invoke() ?? []);
            described["properties"]![name] = member;
        }

        return described;
    }

    private static void Add(JsonObject target, JsonObject source)
    {
        foreach (var (name, value) in source)
        {
            target[name] = value?.DeepClone();
        }
    }

    // A pattern alone holds for everything that is no string, null for one.
    private static JsonObject Pattern(string pattern) => new() { ["type"] = "string", ["pattern"] = pattern };
}
