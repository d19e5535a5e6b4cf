using System.Net;
using System.Text.Json;
using Notify.LocalPushService;

namespace Notify.Tests.LocalPushService;

public sealed class UserAgentTests : LocalPushTest
{
    protected override LocalPushServiceOptions Options => base.Options with { MaxStoredPerSubscription = 3 };

    [Fact]
    public async Task What_comes_while_the_user_agent_is_away_waits_in_order()
    {
        LocalSubscription other = await UserAgent.SubscribeAsync(null, Ct);
        await UserAgent.DisconnectAsync();
        Assert.Equal(0, PushService.Status.ConnectedUserAgents);
        await AcceptAsync(Subscription, "1");
        await AcceptAsync(other, "2");
        await AcceptAsync(Subscription, "3");
        Assert.Equal(3, PushService.Status.Stored);

        await UserAgent.ReconnectAsync(Ct);
        Assert.Equal(["1", "2", "3"], [await NextTextAsync(), await NextTextAsync(), await NextTextAsync()]);
        await Eventually.TrueAsync(() => PushService.Status.Stored == 0);
    }

    [Fact]
    public async Task What_outlived_its_TTL_is_not_delivered()
    {
        await UserAgent.DisconnectAsync();
        await AcceptAsync(Subscription, "short", ttl: 10);
        await AcceptAsync(Subscription, "long", ttl: 11);
        Time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(1, PushService.Status.Stored);
        await UserAgent.ReconnectAsync(Ct);
        Assert.Equal("long", await NextTextAsync());
        Assert.Equal(1, PushService.Status.Expired);
    }

    [Fact]
    public async Task A_TTL_of_0_is_dropped_when_the_user_agent_is_away_and_delivered_when_it_is_there()
    {
        await AcceptAsync(Subscription, "there", ttl: 0);
        Assert.Equal("there", await NextTextAsync());
        await UserAgent.DisconnectAsync();
        await AcceptAsync(Subscription, "away", ttl: 0);
        await AcceptAsync(Subscription, "waits");
        await UserAgent.ReconnectAsync(Ct);
        Assert.Equal("waits", await NextTextAsync());
        Assert.Equal(1, PushService.Status.Dropped);
    }

    [Fact]
    public async Task The_newer_of_a_topic_takes_the_place_of_the_older()
    {
        await UserAgent.DisconnectAsync();
        await AcceptAsync(Subscription, "old", topic: "news");
        await AcceptAsync(Subscription, "other", topic: "else");
        await AcceptAsync(Subscription, "new", topic: "news");
        Assert.Equal(1, PushService.Status.Replaced);
        await UserAgent.ReconnectAsync(Ct);
        Assert.Equal(["other", "new"], [await NextTextAsync(), await NextTextAsync()]);
    }

    [Fact]
    public async Task Beyond_the_bound_the_oldest_is_dropped()
    {
        await UserAgent.DisconnectAsync();
        foreach (string text in new[] { "1", "2", "3", "4" })
        {
            await AcceptAsync(Subscription, text);
        }

        Assert.Equal((3, 1), (PushService.Status.Stored, (int)PushService.Status.Dropped));
        await UserAgent.ReconnectAsync(Ct);
        Assert.Equal(["2", "3", "4"], [await NextTextAsync(), await NextTextAsync(), await NextTextAsync()]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_not_acknowledged_is_sent_again(bool acknowledged)
    {
        using RawUserAgent first = await RawUserAgent.OpenAsync(PushService.Url);
        string uaid = await first.HelloAsync();
        const string Channel = "4f2b9a5e-7d4c-4a2f-9a51-0d6f3f1b2c3d";
        JsonElement registered = await first.AskAsync($$"""{"channelID":"{{Channel}}","messageType":"register"}""");
        var endpoint = new Uri(registered.GetProperty("pushEndpoint").GetString()!);
        await PostAsync(endpoint);
        await PostAsync(endpoint);
        string one = Version(await first.ReadAsync()), two = Version(await first.ReadAsync());
        Assert.NotEqual(one, two);
        if (acknowledged)
        {
            await first.SendAsync($$"""{"messageType":"ack","updates":[{"channelID":"{{Channel}}","version":"{{one}}","code":100}]}""");
            await Eventually.TrueAsync(() => PushService.Status.Stored == 1);
        }

        first.Cut();
        await Eventually.TrueAsync(() => PushService.Status.ConnectedUserAgents == 1);
        using RawUserAgent second = await RawUserAgent.OpenAsync(PushService.Url);
        await second.HelloAsync(uaid);
        Assert.Equal(acknowledged ? two : one, Version(await second.ReadAsync()));
    }

    private static string Version(JsonElement notification) => notification.GetProperty("version").GetString()!;

    private async Task PostAsync(Uri endpoint)
    {
        HttpRequestMessage request = ApplicationServer.Push(Subscription);
        request.RequestUri = endpoint;
        using HttpResponseMessage response = await ApplicationServer.SendAsync(request);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
    }

    private async Task AcceptAsync(LocalSubscription subscription, string text, int ttl = 60, string? topic = null)
    {
        using HttpResponseMessage response = await ApplicationServer.SendAsync(subscription, text, ttl, topic);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
    }
}
