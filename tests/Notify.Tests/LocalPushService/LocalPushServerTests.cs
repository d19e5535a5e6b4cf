using System.Text.Json;
using Notify.LocalPushService;

namespace Notify.Tests.LocalPushService;

public sealed class LocalPushServerTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("http://localhost:0", "localhost")]
    [InlineData("http://127.0.0.1:0", "127.0.0.1")]
    public async Task Port_0_is_a_free_one(string url, string host)
    {
        await using LocalPushServer pushService = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = url }, Ct);
        Assert.Equal(host, pushService.Url.Host);
        Assert.NotEqual(0, pushService.Url.Port);
        using var http = new HttpClient();
        JsonElement status = JsonElement.Parse(await http.GetStringAsync(pushService.Url, Ct));
        Assert.Equal(0, status.GetProperty("subscriptions").GetInt32());
        Assert.Equal(0, status.GetProperty("faults").GetInt32());
    }

    [Fact]
    public async Task A_port_in_use_is_an_IOException()
    {
        await using LocalPushServer first = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://localhost:0" }, Ct);
        await Assert.ThrowsAsync<IOException>(
            () => LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = first.Url.ToString() }, Ct));
    }

    [Theory]
    [InlineData("localhost:5081")]
    [InlineData("https://localhost:5081")]
    [InlineData("http://localhost:5081/path")]
    [InlineData("http://example.com:5081")]
    public async Task An_URL_that_is_not_of_this_machine_is_refused(string url) =>
        await Assert.ThrowsAsync<ArgumentException>(() => LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = url }, Ct));

    [Fact]
    public async Task It_can_be_stopped_while_user_agents_are_connected_and_started_again_at_the_same_port()
    {
        LocalPushServer first = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, Ct);
        await using LocalUserAgent userAgent = await LocalUserAgent.ConnectAsync(first.Url, Ct);
        await userAgent.SubscribeAsync(null, Ct);
        string uaid = userAgent.Uaid!;
        await first.DisposeAsync();

        await using LocalPushServer second = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = first.Url.ToString() }, Ct);
        await userAgent.ReconnectAsync(Ct);
        Assert.NotEqual(uaid, userAgent.Uaid);
        LocalSubscription subscription = await userAgent.SubscribeAsync(null, Ct);
        using var applicationServer = new ApplicationServer(second);
        using HttpResponseMessage response = await applicationServer.SendAsync(subscription, "hello");
        Assert.Equal("hello"u8.ToArray(), (await userAgent.Received.ReadAsync(Ct)).Content);
    }

    [Fact]
    public async Task It_and_a_user_agent_can_be_disposed_of_twice()
    {
        LocalPushServer pushService = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, Ct);
        LocalUserAgent userAgent = await LocalUserAgent.ConnectAsync(pushService.Url, Ct);
        await userAgent.DisposeAsync();
        await userAgent.DisposeAsync();
        Assert.True(userAgent.Received.Completion.IsCompleted);
        await pushService.DisposeAsync();
        await pushService.DisposeAsync();
    }
}
