using System.Buffers.Text;
using System.Net;
using System.Net.WebSockets;
using System.Text.Json;

namespace Notify.Tests.LocalPushService;

public sealed class BrowserConnectionTests : LocalPushTest
{
    private const string Channel = "4f2b9a5e-7d4c-4a2f-9a51-0d6f3f1b2c3d";

    [Theory]
    [InlineData("push-notification", "push-notification")]
    [InlineData("other", null)]
    [InlineData(null, null)]
    public async Task The_sub_protocol_is_accepted_when_offered(string? offered, string? accepted)
    {
        // A client that offered protocols and got none fails by itself in some stacks; .NET's does not.
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url, offered);
        Assert.Equal(accepted, userAgent.SubProtocol);
        Assert.NotEmpty(await userAgent.HelloAsync());
    }

    [Fact]
    public async Task A_known_uaid_is_kept_and_an_unknown_one_replaced()
    {
        using RawUserAgent first = await RawUserAgent.OpenAsync(PushService.Url);
        string uaid = await first.HelloAsync();
        using RawUserAgent second = await RawUserAgent.OpenAsync(PushService.Url);
        Assert.Equal(uaid, await second.HelloAsync(uaid));
        using RawUserAgent third = await RawUserAgent.OpenAsync(PushService.Url);
        Assert.NotEqual("0123456789abcdef", await third.HelloAsync("0123456789abcdef"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_register_with_a_key_padded_or_not_gets_an_endpoint_restricted_to_it(bool padded)
    {
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url);
        await userAgent.HelloAsync();
        string key = padded ? ApplicationServer.PublicKey + "=" : ApplicationServer.PublicKey;
        JsonElement reply = await userAgent.AskAsync($$"""{"channelID":"{{Channel}}","messageType":"register","key":"{{key}}"}""");
        Assert.Equal(("register", 200, Channel), (RawUserAgent.Type(reply), reply.GetProperty("status").GetInt32(), reply.GetProperty("channelID").GetString()));
        string endpoint = reply.GetProperty("pushEndpoint").GetString()!;
        Assert.StartsWith($"{PushService.Url}push/", endpoint, StringComparison.Ordinal);
        Assert.Equal(32, Base64Url.DecodeFromChars(endpoint.Split('/')[^1]).Length);

        using var other = new ApplicationServer(PushService, Time);
        Assert.Equal(HttpStatusCode.Created, await PostAsync(ApplicationServer, endpoint));
        Assert.Equal(HttpStatusCode.Forbidden, await PostAsync(other, endpoint));
    }

    [Fact]
    public async Task A_register_again_keeps_the_endpoint_unless_the_key_is_another()
    {
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url);
        await userAgent.HelloAsync();
        string first = await RegisterAsync(userAgent);
        Assert.Equal(first, await RegisterAsync(userAgent));
        using var other = new ApplicationServer(PushService, Time);
        JsonElement reply = await userAgent.AskAsync($$"""{"channelID":"{{Channel}}","messageType":"register","key":"{{other.PublicKey}}"}""");
        Assert.NotEqual(first, reply.GetProperty("pushEndpoint").GetString());
        Assert.Equal(HttpStatusCode.Gone, await PostAsync(ApplicationServer, first));
    }

    [Theory]
    [InlineData("!!!")]
    [InlineData("AAAA")]
    public async Task A_register_with_a_key_that_is_none_is_answered_with_400(string key)
    {
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url);
        await userAgent.HelloAsync();
        JsonElement reply = await userAgent.AskAsync($$"""{"channelID":"{{Channel}}","messageType":"register","key":"{{key}}"}""");
        Assert.Equal(400, reply.GetProperty("status").GetInt32());
    }

    [Fact]
    public async Task A_notification_carries_the_body_as_sent()
    {
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url);
        await userAgent.HelloAsync();
        string endpoint = await RegisterAsync(userAgent);
        HttpRequestMessage request = ApplicationServer.Push(Subscription);
        request.RequestUri = new Uri(endpoint);
        byte[] body = await request.Content!.ReadAsByteArrayAsync(Ct);
        using HttpResponseMessage response = await ApplicationServer.SendAsync(request);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);

        JsonElement notification = await userAgent.ReadAsync();
        Assert.Equal(("notification", Channel), (RawUserAgent.Type(notification), notification.GetProperty("channelID").GetString()));
        Assert.Equal(60, notification.GetProperty("ttl").GetInt32());
        Assert.Equal("aes128gcm", notification.GetProperty("headers").GetProperty("encoding").GetString());
        Assert.Equal(Base64Url.EncodeToString(body), notification.GetProperty("data").GetString());
        Assert.Equal(1, PushService.Status.Stored);

        string version = notification.GetProperty("version").GetString()!;
        await userAgent.SendAsync($$"""{"messageType":"ack","updates":[{"channelID":"{{Channel}}","version":"{{version}}","code":100}]}""");
        await userAgent.SendAsync($$"""{"messageType":"nack","version":"{{version}}","code":302}""");
        await Eventually.TrueAsync(() => PushService.Status.AcknowledgementsByCode.ContainsKey(302));
        Assert.Equal(0, PushService.Status.Stored);
        Assert.Equal(1, PushService.Status.AcknowledgementsByCode[100]);
    }

    [Fact]
    public async Task An_unregister_ends_the_subscription()
    {
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url);
        await userAgent.HelloAsync();
        string endpoint = await RegisterAsync(userAgent);
        JsonElement reply = await userAgent.AskAsync($$"""{"channelID":"{{Channel}}","messageType":"unregister","code":200}""");
        Assert.Equal(("unregister", 200, Channel), (RawUserAgent.Type(reply), reply.GetProperty("status").GetInt32(), reply.GetProperty("channelID").GetString()));
        Assert.Equal(HttpStatusCode.Gone, await PostAsync(ApplicationServer, endpoint));
    }

    [Fact]
    public async Task A_ping_is_answered_and_a_broadcast_subscription_ignored()
    {
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url);
        await userAgent.HelloAsync();
        await userAgent.SendAsync("""{"messageType":"broadcast_subscribe","broadcasts":{"a/b":"1"}}""");
        Assert.Equal("{}", (await userAgent.AskAsync("{}")).GetRawText());
    }

    [Fact]
    public async Task The_newer_of_two_connections_of_one_user_agent_wins()
    {
        using RawUserAgent older = await RawUserAgent.OpenAsync(PushService.Url);
        string uaid = await older.HelloAsync();
        string endpoint = await RegisterAsync(older);
        using RawUserAgent newer = await RawUserAgent.OpenAsync(PushService.Url);
        await newer.HelloAsync(uaid);
        await older.ReadCloseAsync();
        Assert.Equal(WebSocketCloseStatus.PolicyViolation, older.CloseStatus);

        Assert.Equal(HttpStatusCode.Created, await PostAsync(ApplicationServer, endpoint));
        Assert.Equal("notification", RawUserAgent.Type(await newer.ReadAsync()));
        Assert.Equal(2, PushService.Status.ConnectedUserAgents);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("""{"messageType":1}""")]
    [InlineData("""{"messageType":"unknown"}""")]
    [InlineData("""{"messageType":"hello"}""")]
    [InlineData("""{"messageType":"register"}""")]
    [InlineData("""{"messageType":"register","channelID":"not a UUID"}""")]
    [InlineData("""{"messageType":"ack"}""")]
    [InlineData("""{"messageType":"ack","updates":[1]}""")]
    [InlineData("""{"messageType":"ack","updates":[{"channelID":"a","version":"1","code":"x"}]}""")]
    [InlineData("""{"messageType":"ack","updates":[{"channelID":"a","version":"1","code":1.5}]}""")]
    [InlineData("""{"messageType":"nack","code":1e10}""")]
    [InlineData("""{"messageType":"nack","code":99999999999}""")]
    [InlineData("""{"messageType":"\ud800"}""")]
    public async Task A_malformed_message_closes_the_connection_politely(string message)
    {
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url);
        await userAgent.HelloAsync();
        await userAgent.SendAsync(message);
        await userAgent.ReadCloseAsync();
        Assert.Equal(WebSocketCloseStatus.InvalidPayloadData, userAgent.CloseStatus);
    }

    [Fact]
    public async Task A_message_before_hello_closes_the_connection()
    {
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url);
        await userAgent.SendAsync($$"""{"channelID":"{{Channel}}","messageType":"register"}""");
        await userAgent.ReadCloseAsync();
        Assert.Equal(WebSocketCloseStatus.InvalidPayloadData, userAgent.CloseStatus);
    }

    [Fact]
    public async Task A_binary_message_closes_the_connection()
    {
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url);
        await userAgent.SendBinaryAsync([1, 2, 3]);
        await userAgent.ReadCloseAsync();
        Assert.Equal(WebSocketCloseStatus.InvalidPayloadData, userAgent.CloseStatus);
    }

    [Fact]
    public async Task A_message_that_is_too_long_closes_the_connection()
    {
        using RawUserAgent userAgent = await RawUserAgent.OpenAsync(PushService.Url);
        await userAgent.SendAsync(new string(' ', 300_000));
        await userAgent.ReadCloseAsync();
        Assert.Equal(WebSocketCloseStatus.MessageTooBig, userAgent.CloseStatus);
    }

    private async Task<string> RegisterAsync(RawUserAgent userAgent)
    {
        JsonElement reply = await userAgent.AskAsync($$"""{"channelID":"{{Channel}}","messageType":"register","key":"{{ApplicationServer.PublicKey}}"}""");
        return reply.GetProperty("pushEndpoint").GetString()!;
    }

    private async Task<HttpStatusCode> PostAsync(ApplicationServer applicationServer, string endpoint)
    {
        HttpRequestMessage request = applicationServer.Push(Subscription);
        request.RequestUri = new Uri(endpoint);
        using HttpResponseMessage response = await applicationServer.SendAsync(request);
        return response.StatusCode;
    }
}
