using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Notify.LocalPushService;

namespace Notify.Tests.Telemetry;

/// <summary>What Prometheus is given. Instruments of one name are one to it, whichever service of the process they are of: so no other may run meanwhile.</summary>
[CollectionDefinition(nameof(MetricsTests), DisableParallelization = true)]
[Collection(nameof(MetricsTests))]
public sealed partial class MetricsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Prometheus_is_told_what_became_of_pushes_by_push_service()
    {
        var port = FreePort();
        await using var service = await NotifyService.StartAsync($"--Notify:Telemetry:PrometheusPort={port}", "--Notify:Sending:MaxAttempts=2", "--Notify:Sending:RetryDelay=00:00:00.01");
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 503, Times = 3 });
        foreach (var _ in Enumerable.Range(0, 3))
        {
            var id = Guid.NewGuid();
            await service.PostAsync(new { messageId = id, recipientIds = new[] { "ada" }, title = "Hello" });
            await service.SettledAfterWaitsAsync(id, 1);
        }

        var host = service.Push.Url.Authority;
        var metrics = await Eventually.GetAsync(() => ScrapeAsync(port), seen => Sum(seen, "notify_push_latency_seconds_count") == 2);

        // Of three messages one was given up after two attempts, one came through with its second, and one with its first.
        Assert.Equal(3, Sum(metrics, "notify_push_duration_seconds_count", $"server_address=\"{host}\"", "notify_outcome=\"retry_later\"", "http_response_status_code=\"503\""));
        Assert.Equal(2, Sum(metrics, "notify_push_duration_seconds_count", $"server_address=\"{host}\"", "notify_outcome=\"accepted\"", "http_response_status_code=\"201\""));
        Assert.Equal(2, Sum(metrics, "notify_pushes_deferred_total", "notify_reason=\"retry\""));
        Assert.Equal(1, Sum(metrics, "notify_pushes_failed_total", "notify_reason=\"attempts_exhausted\""));
        Assert.Equal(3, Sum(metrics, "notify_messages_fanned_out_total"));
        Assert.Equal(3, Sum(metrics, "notify_pushes_sent_total"));
        Assert.Equal(1, Sum(metrics, "notify_subscriptions_changes_total", "notify_change=\"registered\""));
        Assert.Equal(0, Sum(metrics, "notify_push_service_breaker", $"server_address=\"{host}\""));
        Assert.Contains("http_client_request_duration_seconds_count", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_port_serves_metrics_and_health_and_no_other_port_serves_metrics()
    {
        var port = FreePort();
        await using var service = await NotifyService.StartAsync($"--Notify:Telemetry:PrometheusPort={port}");
        using var http = new HttpClient();

        Assert.Equal(HttpStatusCode.OK, await StatusAsync($"http://127.0.0.1:{port}/metrics"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync($"http://127.0.0.1:{port}/health/live"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync($"http://127.0.0.1:{port}/api/vapid-public-key"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync($"http://127.0.0.1:{port}/"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync($"{service.Url}metrics"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync($"{service.Url}api/vapid-public-key"));

        async Task<HttpStatusCode> StatusAsync(string url)
        {
            using var response = await http.GetAsync(url, Cancellation);
            return response.StatusCode;
        }
    }

    private static async Task<string> ScrapeAsync(int port)
    {
        using var http = new HttpClient();
        return await http.GetStringAsync($"http://127.0.0.1:{port}/metrics", Cancellation);
    }

    // What all series of this name with these labels amount to.
    private static double Sum(string metrics, string name, params string[] labels) => metrics.Split('\n')
        .Select(line => Series().Match(line))
        .Where(series => series.Groups["name"].Value == name && labels.All(label => series.Groups["labels"].Value.Contains(label, StringComparison.Ordinal)))
        .Sum(series => double.Parse(series.Groups["value"].Value, CultureInfo.InvariantCulture));

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    [GeneratedRegex(@"^(?<name>\w+)(\{(?<labels>.*)\})? (?<value>\S+)")]
    private static partial Regex Series();
}
