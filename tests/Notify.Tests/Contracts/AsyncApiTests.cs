using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;
using MassTransit.RabbitMqTransport;
using Notify.Contracts;
using YamlDotNet.Serialization;

namespace Notify.Tests.Contracts;

/// <summary>That contracts/asyncapi.yaml says what is so. Whether it is AsyncAPI, its own parser says: tests/asyncapi.</summary>
public sealed class AsyncApiTests
{
    private const string Contracts = "contracts";

    private static readonly JsonNode Document = Read();

    public static TheoryData<string> Messages() => [.. ContractTypes.Published.Select(type => type.Name)];

    [Fact]
    public void It_has_the_package_s_version_and_a_channel_with_an_operation_for_each_message_and_no_other()
    {
        var names = ContractTypes.Published.Select(type => ContractTypes.CamelCase(type.Name)).Order(StringComparer.Ordinal).ToList();

        Assert.Equal(ContractTypes.Version, $"{Document["info"]!["version"]}");
        Assert.Equal(names, Document["channels"]!.AsObject().Select(channel => channel.Key).Order(StringComparer.Ordinal));
        Assert.Equal(names.Select(name => $"#/channels/{name}"), Document["operations"]!.AsObject().Select(operation => $"{operation.Value!["channel"]!["$ref"]}").Order(StringComparer.Ordinal));
        Assert.Equal(["#/channels/messagePosted"], Document["operations"]!.AsObject().Where(operation => $"{operation.Value!["action"]}" == "receive").Select(operation => $"{operation.Value!["channel"]!["$ref"]}"));
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_channel_is_the_exchange_that_MassTransit_publishes_to(string message)
    {
        var exchange = new RabbitMqMessageNameFormatter().GetMessageName(ContractTypes.Published.Single(type => type.Name == message));
        var channel = Document["channels"]![ContractTypes.CamelCase(message)]!;

        Assert.Equal((exchange, exchange), ($"{channel["address"]}", $"{channel["bindings"]!["amqp"]!["exchange"]!["name"]}"));
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void What_MassTransit_writes_is_valid_and_no_other_message_is(string message)
    {
        var name = message == nameof(MessagePosted) ? "messagePostedInEnvelope" : ContractTypes.CamelCase(message);
        var schema = PayloadOf(name);
        // The rules do not let one be silent and alert anew.
        var examples = ContractExamples.All.Where(example => example is not SendPush).Select(example => example is MessagePosted posted ? posted with { Renotify = false } : example);

        Assert.Equal([message], examples.Where(example => IsValid(schema, ContractExamples.Envelope(example))).Select(example => example.GetType().Name));
        var envelope = JsonNode.Parse(ContractExamples.Envelope(ContractExamples.All.Single(example => example.GetType().Name == message)))!;
        envelope["message"] = new JsonObject();
        Assert.False(IsValid(schema, envelope.ToJsonString()));
    }

    [Fact]
    public void Plain_JSON_and_the_example_are_valid()
    {
        var schema = PayloadOf("messagePosted");

        Assert.True(IsValid(schema, JsonSerializer.Serialize(ContractExamples.MessagePosted with { Silent = false }, ContractSchemas.CamelCase)));
        Assert.True(IsValid(schema, Document["components"]!["messages"]!["messagePosted"]!["examples"]![0]!["payload"]!.ToJsonString()));
    }

    [Fact]
    public void The_envelope_is_described_whole()
    {
        var described = JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, Contracts, "schemas", "MassTransitEnvelope.json")))!["properties"]!.AsObject();

        Assert.Equal(JsonNode.Parse(ContractExamples.Envelope(ContractExamples.MessagePosted))!.AsObject().Select(member => member.Key), described.Select(member => member.Key));
    }

    private static JsonSchema PayloadOf(string message) => JsonSchema.FromText(Document["components"]!["messages"]![message]!["payload"]!.ToJsonString());

    private static bool IsValid(JsonSchema schema, string json)
    {
        using var document = JsonDocument.Parse(json);
        return schema.Evaluate(document.RootElement, new EvaluationOptions { RequireFormatValidation = true }).IsValid;
    }

    private static JsonNode Read()
    {
        var yaml = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize<object>(File.ReadAllText(Path.Combine(Repository.Root, Contracts, "asyncapi.yaml")));
        return Whole(JsonNode.Parse(new SerializerBuilder().JsonCompatible().Build().Serialize(yaml)))!;
    }

    // With the files in the place of the references to them.
    private static JsonNode? Whole(JsonNode? node) => node switch
    {
        JsonObject members when $"{members["$ref"]}" is ['.', '/', ..] and var file => JsonNode.Parse(File.ReadAllText(Path.Combine(Repository.Root, Contracts, file))),
        JsonObject members => new JsonObject(members.Select(member => KeyValuePair.Create(member.Key, Whole(member.Value)))),
        JsonArray items => new JsonArray([.. items.Select(Whole)]),
        _ => node?.DeepClone(),
    };
}
