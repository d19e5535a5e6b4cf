using System.Buffers.Text;
using System.Net.WebSockets;
using System.Text.Json;
using Notify.LocalPushService;

namespace Notify.Tests.LocalPushService;

public sealed class LocalUserAgentTests : LocalPushTest
{
    [Fact]
    public void A_subscription_is_the_JSON_of_a_browser()
    {
        JsonElement json = JsonElement.Parse(Subscription.ToJson());
        Assert.Equal(Subscription.Endpoint, json.GetProperty("endpoint").GetString());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("expirationTime").ValueKind);
        Assert.Equal(65, Base64Url.DecodeFromChars(json.GetProperty("keys").GetProperty("p256dh").GetString()).Length);
        Assert.Equal(16, Base64Url.DecodeFromChars(json.GetProperty("keys").GetProperty("auth").GetString()).Length);
    }

    [Fact]
    public async Task What_was_encrypted_for_another_is_surfaced_and_acknowledged_with_101()
    {
        LocalSubscription other = await UserAgent.SubscribeAsync(null, Ct);
        byte[] body = ApplicationServer.Encrypt(other, "hello"u8);
        (await ApplicationServer.SendAsync(ApplicationServer.PushBytes(Subscription, body))).Dispose();
        ReceivedPush push = await UserAgent.Received.ReadAsync(Ct);
        Assert.NotNull(push.Error);
        Assert.Empty(push.Content);
        await Eventually.TrueAsync(() => PushService.Status.AcknowledgementsByCode.GetValueOrDefault(101) == 1);
    }

    [Fact]
    public async Task A_record_that_is_not_the_last_is_not_taken()
    {
        byte[] body = ApplicationServer.Encrypt(Subscription, "hello"u8, delimiter: 1);
        (await ApplicationServer.SendAsync(ApplicationServer.PushBytes(Subscription, body))).Dispose();
        Assert.NotNull((await UserAgent.Received.ReadAsync(Ct)).Error);
    }

    [Fact]
    public async Task Without_decryption_the_content_is_the_body()
    {
        UserAgent.Decrypts = false;
        byte[] body = ApplicationServer.Encrypt(Subscription, "hello"u8);
        (await ApplicationServer.SendAsync(ApplicationServer.PushBytes(Subscription, body))).Dispose();
        Assert.Equal(body, (await UserAgent.Received.ReadAsync(Ct)).Content);
    }

    [Fact]
    public async Task A_key_that_is_none_is_refused() =>
        await Assert.ThrowsAsync<ArgumentException>(() => UserAgent.SubscribeAsync("AAAA", Ct));

    [Fact]
    public async Task Many_subscriptions_share_one_connection()
    {
        LocalSubscription[] subscriptions = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => UserAgent.SubscribeAsync(null, Ct)));
        foreach (LocalSubscription subscription in subscriptions)
        {
            (await ApplicationServer.SendAsync(subscription, subscription.Endpoint)).Dispose();
            ReceivedPush push = await UserAgent.Received.ReadAsync(Ct);
            Assert.Same(subscription, push.Subscription);
        }

        Assert.Equal(1, PushService.Status.ConnectedUserAgents);
        Assert.Equal(21, PushService.SubscriptionCount);
    }

    [Fact]
    public async Task Without_a_connection_subscribing_fails()
    {
        await UserAgent.DisconnectAsync();
        await Assert.ThrowsAsync<WebSocketException>(() => UserAgent.SubscribeAsync(null, Ct));
    }

    [Fact]
    public async Task Without_a_push_service_connecting_fails() =>
        await Assert.ThrowsAsync<WebSocketException>(() => LocalUserAgent.ConnectAsync(new Uri("http://127.0.0.1:1"), Ct));
}
