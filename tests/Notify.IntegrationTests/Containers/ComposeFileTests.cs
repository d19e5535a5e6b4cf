using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;
using Notify.Messaging.RabbitMq;
using Notify.Store;
using Notify.Tests;

namespace Notify.IntegrationTests.Containers;

/// <summary>What docker-compose.yml says; <see cref="ComposeTests"/> runs it.</summary>
public sealed class ComposeFileTests
{
    private static readonly string[] Ours = ["migrate", "notify"];

    private readonly ComposeFile _compose = ComposeFile.Read();

    [Fact]
    public void The_file_is_valid_by_the_schema_of_the_compose_specification()
    {
        var path = Path.Combine(Repository.Root, "tests", "Notify.IntegrationTests", "Containers", "compose-spec", "compose-spec.json");
        // It writes the draft's name with an s that is not in it.
        var schema = JsonSchema.FromText(File.ReadAllText(path).Replace("https://json-schema.org/draft-07/schema", "http://json-schema.org/draft-07/schema#", StringComparison.Ordinal));

        var results = Evaluate(_compose.Json);
        Assert.True(results.IsValid, string.Join('\n', results.Details!.Where(detail => detail.Errors is not null).Select(detail => $"{detail.InstanceLocation}: {string.Join("; ", detail.Errors!.Values)}")));

        // And it would be seen if it were not.
        var misspelt = _compose.Json.DeepClone();
        misspelt["services"]!["notify"]!["helthcheck"] = new JsonObject();
        Assert.False(Evaluate(misspelt).IsValid);

        EvaluationResults Evaluate(JsonNode file) => schema.Evaluate(JsonSerializer.SerializeToElement(file), new EvaluationOptions { OutputFormat = OutputFormat.List });
    }

    [Fact]
    public void Every_setting_is_one_that_the_service_knows()
    {
        string[] known =
        [
            .. SettingKeys.OfOptions(), $"ConnectionStrings__{StoreSetup.ConnectionName}", $"ConnectionStrings__{RabbitMqAddress.ConnectionName}",
            "ASPNETCORE_URLS", "ASPNETCORE_HTTP_PORTS", "ASPNETCORE_ENVIRONMENT",
        ];

        foreach (var service in Ours.Select(name => _compose.Services[name]))
        {
            Assert.Empty(service.Environment.Keys.Except(known));
            Assert.Empty(service.Secrets.Except(known));
        }

        Assert.Equal("/run/secrets", _compose.Services["notify"].Environment["Notify__SecretsDirectory"]);
    }

    [Fact]
    public void Secrets_are_files_that_git_does_not_know_and_no_variable_holds_one()
    {
        Assert.All(_compose.Secrets, secret => Assert.Equal($"secrets/{secret.Key}", secret.Value));
        Assert.Equal(_compose.Secrets.Keys.Order(StringComparer.Ordinal), _compose.Services.Values.SelectMany(service => service.Secrets).Distinct().Order(StringComparer.Ordinal));
        Assert.Contains("/secrets/*", File.ReadAllLines(Path.Combine(Repository.Root, ".gitignore")));
        Assert.All(
            _compose.Services.Values.Where(service => service.Json["environment"] is not null).SelectMany(service => service.Environment.Keys),
            key => Assert.False(key.Contains("PASS", StringComparison.OrdinalIgnoreCase) || key.Contains("Key", StringComparison.Ordinal) || key.StartsWith("ConnectionStrings", StringComparison.Ordinal), key));
    }

    [Fact]
    public void Without_a_profile_only_the_dependencies_start()
    {
        var byDefault = _compose.Services.Where(service => service.Value.Json["profiles"] is null).Select(service => service.Key);

        Assert.Equal(["rabbitmq", "sqlserver"], byDefault.Order(StringComparer.Ordinal));
        Assert.All(Ours, name => Assert.Equal("notify", (string)Assert.Single(_compose.Services[name].Json["profiles"]!.AsArray())!));
    }

    [Fact]
    public void The_service_waits_for_a_broker_that_is_well_and_a_database_that_is_migrated()
    {
        Assert.Equal("service_healthy", _compose.Services["migrate"].DependsOn["sqlserver"]);
        Assert.Equal("service_completed_successfully", _compose.Services["notify"].DependsOn["migrate"]);
        Assert.Equal("service_healthy", _compose.Services["notify"].DependsOn["rabbitmq"]);
        Assert.All(_compose.Services.Where(service => service.Key != "migrate"), service => Assert.NotEmpty(service.Value.HealthCheck));
    }

    [Fact]
    public void Every_service_has_a_limit_of_memory_and_is_reached_from_this_machine_alone()
    {
        Assert.All(_compose.Services.Values, service => Assert.NotNull(service.Json["mem_limit"]));
        Assert.All(_compose.Services.Values.SelectMany(service => service.Ports), port => Assert.Equal("127.0.0.1", port[0]));
    }
}
