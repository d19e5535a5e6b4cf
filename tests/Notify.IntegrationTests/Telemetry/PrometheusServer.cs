using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Notify.IntegrationTests.Brokers;
using Notify.Tests;

namespace Notify.IntegrationTests.Telemetry;

/// <summary>Debian's Prometheus, scraping one address every second with a file of alert rules.</summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    private const string Program = "/usr/bin/prometheus";

    private readonly LeashedProcess _process;
    private readonly DirectoryInfo _folder;
    private readonly HttpClient _http;

    private PrometheusServer(LeashedProcess process, DirectoryInfo folder, int port) =>
        (_process, _folder, _http) = (process, folder, new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/api/v1/") });

    public static async Task<PrometheusServer> StartAsync(int scraped, string rules)
    {
        if (!File.Exists(Program))
        {
            const string missing = "Prometheus is not installed: apt-get install -y --no-install-recommends prometheus";
            Assert.SkipUnless(Environment.GetEnvironmentVariable("NOTIFY_TEST_REQUIRE_ALL") == "1", missing);
            Assert.Fail(missing);
        }

        var folder = Directory.CreateTempSubdirectory("notify-prometheus-");
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "prometheus.yml"), $"""
            global:
              scrape_interval: 1s
              evaluation_interval: 1s
            rule_files: ["{rules}"]
            scrape_configs:
              - job_name: notify
                static_configs:
                  - targets: ["127.0.0.1:{scraped}"]
            """);
        return await LoopbackPorts.UseAsync(1, async ports =>
        {
            var script = Path.Combine(folder.FullName, "start");
            await File.WriteAllTextAsync(script, string.Create(CultureInfo.InvariantCulture, $"""
                #!/bin/sh
                exec {Program} --config.file={folder.FullName}/prometheus.yml --storage.tsdb.path={folder.FullName}/data --web.listen-address=127.0.0.1:{ports[0]} --log.level=warn

                """));
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            var server = new PrometheusServer(LeashedProcess.Start(new RabbitMqInstallation(Root: "", Server: script), folder.FullName, script, new Dictionary<string, string>()), folder, ports[0]);
            await Eventually.TrueAsync(() => server._process.HasExited || server.IsReady());
            return server._process.HasExited ? throw new IOException("Prometheus ended: " + await File.ReadAllTextAsync(Path.Combine(folder.FullName, "output"))) : server;
        });
    }

    /// <summary>What a query gives now.</summary>
    public async Task<JsonElement> QueryAsync(string expression)
    {
        using var response = await _http.GetAsync($"query?query={Uri.EscapeDataString(expression)}", TestContext.Current.CancellationToken);
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, $"{expression}: {answer}");
        return answer.GetProperty("data").GetProperty("result");
    }

    /// <summary>The alerts that fire.</summary>
    public async Task<IReadOnlyList<string>> AlertsAsync()
    {
        var answer = await _http.GetFromJsonAsync<JsonElement>("alerts", TestContext.Current.CancellationToken);
        return [.. answer.GetProperty("data").GetProperty("alerts").EnumerateArray().Where(alert => alert.GetProperty("state").GetString() == "firing").Select(alert => alert.GetProperty("labels").GetProperty("alertname").GetString()!)];
    }

    /// <summary>The expressions of the alert rules that it has read.</summary>
    public async Task<IReadOnlyList<string>> RulesAsync()
    {
        var answer = await _http.GetFromJsonAsync<JsonElement>("rules", TestContext.Current.CancellationToken);
        return [.. answer.GetProperty("data").GetProperty("groups").EnumerateArray().SelectMany(group => group.GetProperty("rules").EnumerateArray()).Select(rule => rule.GetProperty("query").GetString()!)];
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _process.EndAsync("KILL", Eventually.Patience);
        _process.Dispose();
        if (Directory.Exists(_folder.FullName))
        {
            _folder.Delete(recursive: true);
        }
    }

    private bool IsReady()
    {
        try
        {
            using var response = _http.Send(new HttpRequestMessage(HttpMethod.Get, "query?query=1"));
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
