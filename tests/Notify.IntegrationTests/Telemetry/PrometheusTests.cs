using System.Text.Json;
using System.Text.RegularExpressions;
using Notify.IntegrationTests.Brokers;
using Notify.LocalPushService;
using Notify.Tests;

namespace Notify.IntegrationTests.Telemetry;

/// <summary>The alert rules and the Grafana dashboard of docs/telemetry, asked of a real Prometheus that scrapes the running service.</summary>
[CollectionDefinition(nameof(PrometheusTests), DisableParallelization = true)]
[Collection(nameof(PrometheusTests))]
public sealed partial class PrometheusTests
{
    private static readonly string Docs = Path.Combine(Repository.Root, "docs", "telemetry");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_rule_and_panel_asks_for_metrics_that_there_are_and_a_refused_key_raises_the_alarm()
    {
        var (started, port) = await LoopbackPorts.UseAsync(1, async ports => (await NotifyService.StartAsync($"--Notify:Telemetry:PrometheusPort={ports[0]}", "--Notify:Sending:MaxAttempts=2"), ports[0]));
        await using var service = started;
        await using var prometheus = await PrometheusServer.StartAsync(port, Path.Combine(Docs, "alerts.yml"));
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");

        // One accepted, one given up after a retry, one refused: every counter has counted.
        await PushAsync(null);
        await PushAsync(new PushFault { Status = 503, Times = 2 });
        await PushAsync(new PushFault { Status = 403, Times = 1 });

        await Eventually.GetAsync(() => prometheus.QueryAsync("notify_push_duration_seconds_count"), seen => seen.GetArrayLength() == 3);
        await Eventually.GetAsync(prometheus.AlertsAsync, alerts => alerts.Contains("NotifyUnauthorised"));
        Assert.DoesNotContain("NotifyDown", await prometheus.AlertsAsync());
        var rules = await prometheus.RulesAsync();
        Assert.Equal(8, rules.Count);
        var panels = Expressions(JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Docs, "grafana-dashboard.json"), Cancellation)).RootElement)
            .Select(expression => expression.Replace("$__rate_interval", "1m", StringComparison.Ordinal).Replace("$instance", ".*", StringComparison.Ordinal)).ToList();
        Assert.True(panels.Count > 15);
        foreach (var expression in panels.Concat(rules))
        {
            await prometheus.QueryAsync(expression);
            foreach (var metric in Metric().Matches(Labels().Replace(expression, "")).Select(match => match.Value).Distinct())
            {
                Assert.True((await prometheus.QueryAsync(metric)).GetArrayLength() > 0, $"{expression} asks for {metric}, which there is not");
            }
        }

        async Task PushAsync(PushFault? fault)
        {
            if (fault is not null)
            {
                service.Push.Faults.Add(fault);
            }

            var id = Guid.NewGuid();
            await service.PostAsync(new { messageId = id, recipientIds = new[] { "ada" }, title = "Hello" });
            await service.SettledAfterWaitsAsync(id, 1);
        }
    }

    private static IEnumerable<string> Expressions(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().SelectMany(member => member.Name == "expr" ? [member.Value.GetString()!] : Expressions(member.Value)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(Expressions),
        _ => [],
    };

    [GeneratedRegex(@"\b(notify|dotnet)_\w+")]
    private static partial Regex Metric();

    [GeneratedRegex(@"by \([^)]*\)|{[^}]*}")]
    private static partial Regex Labels();
}
