using System.Net.Http.Json;
using System.Text.Json;
using Notify.IntegrationTests.Brokers;
using Notify.LocalPushService;
using Notify.Tests;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>What a worker does on SIGTERM.</summary>
[Collection("RabbitMQ")]
public sealed class StoppingTests(SharedBrokers brokers)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_post_in_flight_comes_to_its_end_and_is_not_made_again()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        await using var push = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, Cancellation);
        await using var agent = await LocalUserAgent.ConnectAsync(push.Url, Cancellation);
        await using var worker = await WorkerProcess.StartAsync(
            ("Notify__Transport", "RabbitMq"),
            ("ConnectionStrings__RabbitMq", $"{uri}"),
            ("ConnectionStrings__Notify", $"Data Source={Path.Combine(folder.FullName, "notify.db")}"),
            ("Notify__LocalPushService__Url", push.Url.GetLeftPart(UriPartial.Authority)));
        using var http = new HttpClient { BaseAddress = worker.Url };
        http.DefaultRequestHeaders.Add("X-Notify-User", "ada");
        var key = await http.GetFromJsonAsync<JsonElement>("api/vapid-public-key", Cancellation);
        await NotifyService.RegisterAsync(http, (await agent.SubscribeAsync(key.GetProperty("publicKey").GetString(), Cancellation)).ToJson());

        // Longer than the two seconds after which the library of the command line ends a process by itself.
        push.Faults.Add(new PushFault { Delay = TimeSpan.FromSeconds(6), Times = 1 });
        using var posted = await http.PostAsJsonAsync("api/messages", new { messageId = Guid.NewGuid(), recipientIds = new[] { "ada" }, title = "slow" }, Cancellation);
        await Eventually.TrueAsync(() => push.Status.Faults == 0);

        await worker.StopAsync();

        Assert.Equal(1, push.Status.Accepted);
        await using var connection = await QueueAccess.ConnectAsync(uri);
        for (var lane = 0; lane < 8; lane++)
        {
            Assert.Equal(0u, await connection.CountAsync($"subscription-send-{lane}"));
        }

        folder.Delete(recursive: true);
    }
}
