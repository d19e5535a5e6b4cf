using System.Net.Http.Json;
using System.Text.Json;
using Notify.IntegrationTests.Brokers;
using Notify.LocalPushService;
using Notify.Tests;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>A broker in another's place, which has nothing of what that held back.</summary>
[Collection("RabbitMQ")]
public sealed class NewBrokerTests(SharedBrokers brokers)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_push_that_waited_for_its_retry_is_sent_again()
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        await using var push = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, Cancellation);
        await using var agent = await LocalUserAgent.ConnectAsync(push.Url, Cancellation);
        var messageId = Guid.NewGuid();
        push.Faults.Add(new PushFault { Status = 503, RetryAfter = "5", Times = 1 });
        await using (var worker = await StartAsync())
        {
            using var http = new HttpClient { BaseAddress = worker.Url };
            http.DefaultRequestHeaders.Add("X-Notify-User", "ada");
            var key = await http.GetFromJsonAsync<JsonElement>("api/vapid-public-key", Cancellation);
            await NotifyService.RegisterAsync(http, (await agent.SubscribeAsync(key.GetProperty("publicKey").GetString(), Cancellation)).ToJson());
            using var posted = await http.PostAsJsonAsync("api/messages", new { messageId, recipientIds = new[] { "ada" }, title = "held back" }, Cancellation);
            await Eventually.GetAsync(() => http.GetStringAsync($"api/messages/{messageId}/deliveries", Cancellation), deliveries => deliveries.Contains("retrying", StringComparison.Ordinal));
            await worker.StopAsync();
        }

        await using (await StartAsync())
        {
            await Eventually.TrueAsync(() => push.Status.Accepted == 1);
        }

        folder.Delete(recursive: true);

        async Task<WorkerProcess> StartAsync() => await WorkerProcess.StartAsync(
            ("Notify__Transport", "RabbitMq"),
            ("ConnectionStrings__RabbitMq", $"{await brokers.NewVirtualHostAsync(RabbitMqVersion.V4)}"),
            ("ConnectionStrings__Notify", $"Data Source={Path.Combine(folder.FullName, "notify.db")}"),
            ("Notify__LocalPushService__Url", push.Url.GetLeftPart(UriPartial.Authority)));
    }
}
