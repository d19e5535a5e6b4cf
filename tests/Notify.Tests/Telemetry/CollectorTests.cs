using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Notify.Contracts;
using Notify.LocalPushService;

namespace Notify.Tests.Telemetry;

/// <summary>What an OpenTelemetry collector is sent, over OTLP as it goes over the wire (http/protobuf).</summary>
public sealed class CollectorTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_caller_carries_along_with_its_trace_stays_with_the_caller()
    {
        var (baggage, traces) = (new ConcurrentQueue<string?>(), new ConcurrentQueue<string?>());
        await using var service = await NotifyService.StartAsync("--OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9");
        var listening = service.Services.GetRequiredService<IBus>().ConnectReceiveEndpoint("listener", endpoint => endpoint.Handler<MessagePosted>(context =>
        {
            baggage.Enqueue(context.Headers.Get<string>("MT-Activity-Correlation-Context"));
            traces.Enqueue(context.Headers.Get<string>("MT-Activity-Id"));
            return Task.CompletedTask;
        }));
        await listening.Ready;
        using var http = service.ClientOf("ada");
        http.DefaultRequestHeaders.Add("baggage", "secret=of-the-gateway");
        http.DefaultRequestHeaders.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");

        using var posted = await http.PostAsJsonAsync("api/messages", new { messageId = Guid.NewGuid(), recipientIds = new[] { "ada" }, title = "t" }, Cancellation);

        await Eventually.TrueAsync(() => !traces.IsEmpty);
        Assert.Equal([null], baggage);
        Assert.All(traces, trace => Assert.Contains("0af7651916cd43dd8448eb211c80319c", trace, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_collector_gets_traces_metrics_and_logs_and_nothing_secret()
    {
        var received = new ConcurrentQueue<(string Path, byte[] Body)>();
        await using var collector = WebApplication.CreateSlimBuilder().Build();
        collector.Urls.Add("http://127.0.0.1:0");
        collector.MapPost("/{**path}", async (HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body, Cancellation);
            received.Enqueue((request.Path, body.ToArray()));
            return Results.Bytes([], "application/x-protobuf");
        });
        await collector.StartAsync(Cancellation);

        LocalSubscription subscription;
        string registered;
        await using (var service = await NotifyService.StartAsync(
            null,
            builder => builder.Logging.AddOpenTelemetry(),
            $"--OTEL_EXPORTER_OTLP_ENDPOINT={collector.Urls.First()}", "--OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "--OTEL_BSP_SCHEDULE_DELAY=100", "--OTEL_METRIC_EXPORT_INTERVAL=200"))
        {
            await using var browser = await Browser.OpenAsync(service);
            subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
            using var http = service.ClientOf("ada");
            service.Push.Faults.Add(new PushFault { Status = 403 });
            var id = Guid.NewGuid();
            await service.PostAsync(new { messageId = id, recipientIds = new[] { "ada" }, title = "Hello" });
            await service.SettledDeliveriesAsync(id, 1);

            // Its query is an endpoint.
            using var removed = await http.DeleteAsync($"api/subscriptions?endpoint={Uri.EscapeDataString(subscription.Endpoint)}", Cancellation);
            Assert.True(removed.IsSuccessStatusCode);
            registered = "/api/subscriptions";
        }

        var texts = received.Select(each => (each.Path, Text: Encoding.Latin1.GetString(each.Body))).ToList();
        Contains("/v1/traces", "POST");
        Contains("/v1/traces", registered);
        Contains("/v1/traces", "notify.outcome");
        Contains("/v1/metrics", "notify.push.duration");
        Contains("/v1/metrics", "http.client.request.duration");
        Contains("/v1/logs", "refused our VAPID key");
        Assert.All(
            [subscription.Endpoint, Uri.EscapeDataString(subscription.Endpoint), new Uri(subscription.Endpoint).AbsolutePath, subscription.P256dh, subscription.Auth],
            secret => Assert.DoesNotContain(texts, each => each.Text.Contains(secret, StringComparison.Ordinal)));

        void Contains(string path, string text) => Assert.Contains(texts, each => each.Path == path && each.Text.Contains(text, StringComparison.Ordinal));
    }
}
