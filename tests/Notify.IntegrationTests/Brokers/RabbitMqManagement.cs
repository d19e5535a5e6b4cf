using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Notify.IntegrationTests.Brokers;

/// <summary>
/// A broker's management API. Its counts are half a second old or so: wait for them to come true. It works for the running test, and is
/// cancelled with it.
/// </summary>
public sealed class RabbitMqManagement : IDisposable
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly HttpClient _http;

    internal RabbitMqManagement(Uri url)
    {
        _http = new HttpClient { BaseAddress = new Uri(url, "api/"), Timeout = TimeSpan.FromSeconds(30) };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.ASCII.GetBytes("guest:guest")));
    }

    /// <summary>The queues of one virtual host, or of all.</summary>
    public Task<IReadOnlyList<QueueInfo>> QueuesAsync(string? virtualHost = null) => ListAsync<QueueInfo>("queues", virtualHost);

    /// <summary>The exchanges of one virtual host, or of all; the ones that every virtual host has are among them.</summary>
    public Task<IReadOnlyList<ExchangeInfo>> ExchangesAsync(string? virtualHost = null) => ListAsync<ExchangeInfo>("exchanges", virtualHost);

    /// <summary>The bindings of one virtual host, or of all; those of every queue to the default exchange (source "") are among them.</summary>
    public Task<IReadOnlyList<BindingInfo>> BindingsAsync(string? virtualHost = null) => ListAsync<BindingInfo>("bindings", virtualHost);

    /// <summary>The consumers of one virtual host, or of all.</summary>
    public async Task<IReadOnlyList<ConsumerInfo>> ConsumersAsync(string? virtualHost = null) =>
        [.. (await ListAsync<JsonObject>("consumers", virtualHost)).Select(ConsumerInfo.From)];

    /// <summary>The members of the cluster, which a single broker is as well.</summary>
    public Task<IReadOnlyList<NodeInfo>> NodesAsync() => ListAsync<NodeInfo>("nodes", null);

    /// <summary>The broker's version, as it says itself.</summary>
    public async Task<string> VersionAsync() =>
        (string)(await _http.GetFromJsonAsync<JsonObject>("overview", TestContext.Current.CancellationToken))!["rabbitmq_version"]!;

    /// <summary>Makes a virtual host that guest may use.</summary>
    public async Task CreateVirtualHostAsync(string name)
    {
        var escaped = Uri.EscapeDataString(name);
        await PutAsync($"vhosts/{escaped}", new { });
        await PutAsync($"permissions/{escaped}/guest", new { configure = ".*", write = ".*", read = ".*" });
    }

    /// <summary>Makes a user, or gives it that password, and lets it use a virtual host: declare, write to and read what these patterns name.</summary>
    public async Task CreateUserAsync(string name, string password, string virtualHost, string configure = ".*", string write = ".*")
    {
        await PutAsync($"users/{Uri.EscapeDataString(name)}", new { password, tags = "" });
        await PutAsync($"permissions/{Uri.EscapeDataString(virtualHost)}/{Uri.EscapeDataString(name)}", new { configure, write, read = ".*" });
    }

    /// <summary>Closes every connection to a virtual host that the broker has counted and that is still there, and returns how many those were.</summary>
    public async Task<int> CloseConnectionsAsync(string virtualHost)
    {
        var names = (await ListAsync<JsonObject>("connections", null)).Where(connection => (string?)connection["vhost"] == virtualHost).Select(connection => (string)connection["name"]!).ToList();
        var closed = 0;
        foreach (var name in names)
        {
            // Its list is a little older than what is.
            using var response = await _http.DeleteAsync($"connections/{Uri.EscapeDataString(name)}", TestContext.Current.CancellationToken);
            closed += response.IsSuccessStatusCode ? 1 : 0;
        }

        return closed;
    }

    internal async Task<bool> AnswersAsync(CancellationToken ct)
    {
        using var response = await _http.GetAsync("overview", ct);
        return response.IsSuccessStatusCode;
    }

    private async Task<IReadOnlyList<T>> ListAsync<T>(string kind, string? virtualHost)
    {
        var path = virtualHost is null ? kind : $"{kind}/{Uri.EscapeDataString(virtualHost)}";
        return (await _http.GetFromJsonAsync<List<T>>(path, Json, TestContext.Current.CancellationToken))!;
    }

    private async Task PutAsync<T>(string path, T body)
    {
        using var response = await _http.PutAsJsonAsync(path, body, TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
    }

    public void Dispose() => _http.Dispose();
}

/// <summary>
/// A queue: <paramref name="Type"/> is "quorum", "classic" or "stream". The counts are null until the broker has first counted, and
/// <paramref name="Leader"/> (a node's name) where there is none. Version 3 does not tell the <paramref name="SingleActiveConsumerTag"/>
/// of a quorum queue: there see <see cref="ConsumerInfo.Active"/>. <paramref name="MessageStats"/> is null where nothing has happened yet.
/// </summary>
public sealed record QueueInfo(
    string Name,
    [property: JsonPropertyName("vhost")] string VirtualHost,
    string Type,
    string? State,
    long? Messages,
    long? MessagesReady,
    long? MessagesUnacknowledged,
    int? Consumers,
    string? Leader,
    string? SingleActiveConsumerTag,
    QueueStats? MessageStats,
    IReadOnlyDictionary<string, JsonElement> Arguments);

/// <summary>What has happened to a queue's messages so far: how many were acknowledged.</summary>
public sealed record QueueStats(long? Ack);

/// <summary>An exchange: <paramref name="Type"/> is "fanout", "topic" and so on.</summary>
public sealed record ExchangeInfo(
    string Name,
    [property: JsonPropertyName("vhost")] string VirtualHost,
    string Type,
    bool Durable,
    bool AutoDelete,
    bool Internal,
    IReadOnlyDictionary<string, JsonElement> Arguments);

/// <summary>A binding from an exchange to a "queue" or an "exchange", as <paramref name="DestinationType"/> says.</summary>
public sealed record BindingInfo(
    string Source,
    [property: JsonPropertyName("vhost")] string VirtualHost,
    string Destination,
    string DestinationType,
    string RoutingKey,
    IReadOnlyDictionary<string, JsonElement> Arguments);

/// <summary>
/// A consumer of a queue. With single active consumer, <paramref name="Active"/> is true for the one that gets messages, otherwise for
/// each; <paramref name="Priority"/> is its x-priority. The names of channel and connection are null until the broker has first counted.
/// </summary>
public sealed record ConsumerInfo(string Queue, string VirtualHost, string Tag, string? Channel, string? Connection, bool Active, int? Priority)
{
    internal static ConsumerInfo From(JsonObject consumer)
    {
        // Erlang's empty lists: an object without members is written as [].
        var channel = consumer["channel_details"] as JsonObject;
        var arguments = consumer["arguments"] as JsonObject;
        return new ConsumerInfo(
            (string)consumer["queue"]!["name"]!,
            (string)consumer["queue"]!["vhost"]!,
            (string)consumer["consumer_tag"]!,
            (string?)channel?["name"],
            (string?)channel?["connection_name"],
            (bool?)consumer["active"] ?? false,
            (int?)arguments?["x-priority"]);
    }
}

/// <summary>
/// A member of the cluster. The plugins, without those that they need, are null until the broker has first counted, and where it does not run.
/// </summary>
public sealed record NodeInfo(string Name, bool Running, IReadOnlyList<string>? EnabledPlugins);
