using System.Text.Json;
using System.Text.Json.Nodes;
using MassTransit;
using MassTransit.Serialization;
using Notify.Contracts;
using Notify.Messaging.RabbitMq;

namespace Notify.Tests.Contracts;

/// <summary>Messages of every released version, which lie in queues while Notify and its neighbours are upgraded one after the other.</summary>
public sealed class ReleasedTests
{
    private const string Folder = "tests/Notify.Tests/Contracts/Released";

    private static readonly JsonSerializerOptions PascalCase = new(ContractSchemas.CamelCase) { PropertyNamingPolicy = null };

    private static readonly Dictionary<string, string> Current = ContractExamples.All
        .ToDictionary(message => $"{Folder}/{ContractTypes.Version}/{message.GetType().Name}.envelope.json", ContractExamples.Envelope)
        .Append(new($"{Folder}/{ContractTypes.Version}/MessagePosted.camel.json", JsonSerializer.Serialize(ContractExamples.MessagePosted, ContractSchemas.CamelCase) + "\n"))
        .Append(new($"{Folder}/{ContractTypes.Version}/MessagePosted.pascal.json", JsonSerializer.Serialize(ContractExamples.MessagePosted, PascalCase) + "\n"))
        .ToDictionary();

    public static TheoryData<string> CurrentFiles() => [.. Current.Keys];

    public static TheoryData<string> StoredFiles() => [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, Folder), "*.json", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Repository.Root, file)).Order(StringComparer.Ordinal)];

    [Fact]
    public void Every_message_has_an_example_with_every_member_set()
    {
        Assert.Equal(ContractTypes.Messages, ContractExamples.All.Select(message => message.GetType()).OrderBy(type => type.Name, StringComparer.Ordinal));
        Assert.All(ContractExamples.All.Append(ContractExamples.MessagePosted.Actions!.Single()), message => Assert.All(message.GetType().GetProperties(), property =>
        {
            var value = property.GetValue(message);
            Assert.True(value is not null && !value.Equals(property.PropertyType.IsValueType ? Activator.CreateInstance(property.PropertyType) : null), $"{message.GetType().Name}.{property.Name} is not set.");
        }));
    }

    /// <summary>Once a version is released its files stay; a contract that changes then needs a new version, and so a new folder.</summary>
    [Theory]
    [MemberData(nameof(CurrentFiles))]
    public void The_current_version_is_stored(string file) => Approval.Check(Current[file], file);

    [Theory]
    [MemberData(nameof(StoredFiles))]
    public void Every_stored_message_is_read_with_every_member(string file)
    {
        var json = File.ReadAllText(Path.Combine(Repository.Root, file));
        var type = typeof(MessagePosted).Assembly.GetType($"Notify.Contracts.{Path.GetFileName(file).Split('.')[0]}", throwOnError: true)!;
        var isEnvelope = file.EndsWith(".envelope.json", StringComparison.Ordinal);
        IMessageDeserializer deserializer = isEnvelope ? new SystemTextJsonMessageSerializer() : new PlainJson();

        var context = deserializer.Deserialize(new StringMessageBody(json), EmptyHeaders.Instance, new Uri("rabbitmq://localhost/user-fanout"));
        var arguments = new object?[] { null };
        var isRead = (bool)typeof(SerializerContext).GetMethods().Single(method => method is { Name: nameof(context.TryGetMessage), IsGenericMethod: true }).MakeGenericMethod(type).Invoke(context, arguments)!;

        Assert.True(isRead, "Not read as the message it is.");
        var stored = JsonNode.Parse(json)!;
        AssertHolds(isEnvelope ? stored["message"] : stored, JsonSerializer.SerializeToNode(arguments[0], type, ContractSchemas.CamelCase), type.Name);
    }

    // A later version may have more members than the stored message.
    private static void AssertHolds(JsonNode? stored, JsonNode? read, string path)
    {
        switch (stored)
        {
            case JsonObject members:
                Assert.All(members, member => AssertHolds(member.Value, Assert.IsType<JsonObject>(read)[ContractTypes.CamelCase(member.Key)], $"{path}.{member.Key}"));
                break;
            case JsonArray items:
                Assert.Equal(items.Count, Assert.IsType<JsonArray>(read).Count);
                Assert.All(items, (item, index) => AssertHolds(item, read[index], $"{path}[{index}]"));
                break;
            default:
                Assert.True(JsonNode.DeepEquals(stored, read), $"{path} was {stored} and is read as {read}.");
                break;
        }
    }
}
