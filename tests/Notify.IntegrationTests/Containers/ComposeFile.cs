using System.Text.Json.Nodes;
using Notify.Tests;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Notify.IntegrationTests.Containers;

/// <summary>docker-compose.yml, with its aliases and merges carried out.</summary>
internal sealed class ComposeFile
{
    private ComposeFile(JsonObject json) => Json = json;

    /// <summary>The file as JSON, as the schema has it.</summary>
    public JsonObject Json { get; }

    /// <summary>The services by their names.</summary>
    public IReadOnlyDictionary<string, ComposeService> Services => Json["services"]!.AsObject().ToDictionary(service => service.Key, service => new ComposeService(service.Value!.AsObject()));

    /// <summary>The secrets' files by the secrets' names.</summary>
    public IReadOnlyDictionary<string, string> Secrets => Json["secrets"]!.AsObject().ToDictionary(secret => secret.Key, secret => (string)secret.Value!["file"]!);

    public static ComposeFile Read()
    {
        using var text = File.OpenText(Path.Combine(Repository.Root, "docker-compose.yml"));
        var content = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize(new MergingParser(new Parser(text)));
        return new ComposeFile(JsonNode.Parse(new SerializerBuilder().JsonCompatible().Build().Serialize(content))!.AsObject());
    }
}

/// <summary>A service of it.</summary>
internal sealed class ComposeService(JsonObject json)
{
    public JsonObject Json { get; } = json;

    public IReadOnlyDictionary<string, string> Environment => Json["environment"]!.AsObject().ToDictionary(variable => variable.Key, variable => Unescaped(variable.Value!));

    /// <summary>The names of the secrets that it is given.</summary>
    public IReadOnlyList<string> Secrets => [.. Json["secrets"]!.AsArray().Select(secret => secret is JsonObject both ? (string)both["source"]! : (string)secret!)];

    public IReadOnlyList<string> Command => Words("command");

    public IReadOnlyList<string> Entrypoint => Words("entrypoint");

    /// <summary>The ports it publishes: address, port there, port in the container.</summary>
    public IReadOnlyList<string[]> Ports => [.. Words("ports").Select(port => port.Split(':'))];

    /// <summary>The health check's words, without the CMD before them.</summary>
    public IReadOnlyList<string> HealthCheck
    {
        get
        {
            var words = Json["healthcheck"]!["test"]!.AsArray().Select(word => Unescaped(word!)).ToList();
            Assert.Equal("CMD", words[0]);
            return words[1..];
        }
    }

    /// <summary>Which services it waits for, and until when.</summary>
    public IReadOnlyDictionary<string, string> DependsOn => Json["depends_on"]!.AsObject().ToDictionary(other => other.Key, other => (string)other.Value!["condition"]!);

    private IReadOnlyList<string> Words(string key) => Json[key] is JsonArray words ? [.. words.Select(word => Unescaped(word!))] : [];

    // A single dollar sign would be a variable of compose's.
    private static string Unescaped(JsonNode value)
    {
        var text = value.ToString();
        Assert.DoesNotContain("$", text.Replace("$$", "", StringComparison.Ordinal), StringComparison.Ordinal);
        return text.Replace("$$", "$", StringComparison.Ordinal);
    }
}
