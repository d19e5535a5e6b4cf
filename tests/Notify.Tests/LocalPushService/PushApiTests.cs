using System.Net;
using System.Net.Sockets;
using System.Text;
using Notify.LocalPushService;

namespace Notify.Tests.LocalPushService;

public sealed class PushApiTests : LocalPushTest
{
    [Fact]
    public async Task A_correct_push_message_is_accepted_delivered_and_acknowledged()
    {
        using HttpResponseMessage response = await ApplicationServer.SendAsync(Subscription, "hello");
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.True(response.Headers.Location!.IsAbsoluteUri);
        Assert.Equal("60", Assert.Single(response.Headers.GetValues("TTL")));

        ReceivedPush push = await UserAgent.Received.ReadAsync(Ct);
        Assert.Same(Subscription, push.Subscription);
        Assert.Equal("hello", Encoding.UTF8.GetString(push.Content));
        Assert.Null(push.Error);
        await Eventually.TrueAsync(() => PushService.Status.AcknowledgementsByCode.GetValueOrDefault(100) == 1);
        Assert.Equal(0, PushService.Status.Stored);
    }

    [Fact]
    public async Task A_push_message_without_a_body_is_delivered_empty()
    {
        using HttpResponseMessage response = await ApplicationServer.SendAsync(ApplicationServer.Push(Subscription, text: null));
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Empty((await UserAgent.Received.ReadAsync(Ct)).Content);
    }

    [Fact]
    public async Task A_body_of_4096_bytes_passes_and_one_more_is_refused()
    {
        using HttpResponseMessage response = await ApplicationServer.SendAsync(ApplicationServer.Push(Subscription, new string('x', 3993)));
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(3993, (await NextTextAsync()).Length);

        using HttpResponseMessage tooLarge = await ApplicationServer.SendAsync(ApplicationServer.Push(Subscription, new string('x', 3994)));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, tooLarge.StatusCode);
    }

    [Fact]
    public async Task A_body_without_its_length_is_refused()
    {
        HttpRequestMessage request = ApplicationServer.Push(Subscription);
        request.Headers.TransferEncodingChunked = true;
        await AssertRefusedAsync(request, HttpStatusCode.LengthRequired, "MissingContentLength");
    }

    [Fact]
    public async Task A_request_without_body_and_length_is_refused()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(PushService.Url.Host, PushService.Url.Port, Ct);
        await using NetworkStream stream = client.GetStream();
        string head = $"POST {new Uri(Subscription.Endpoint).AbsolutePath} HTTP/1.1\r\nHost: {PushService.Url.Authority}\r\nTTL: 0\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head), Ct);
        using var reader = new StreamReader(stream);
        Assert.StartsWith("HTTP/1.1 411 ", await reader.ReadLineAsync(Ct), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_endpoint_is_404()
    {
        HttpRequestMessage request = ApplicationServer.Push(Subscription);
        request.RequestUri = new Uri(PushService.Url, "/push/" + new string('A', 43));
        await AssertRefusedAsync(request, HttpStatusCode.NotFound, "BadDeviceToken");
    }

    [Fact]
    public async Task The_endpoint_of_an_ended_subscription_is_410()
    {
        LocalSubscription other = await UserAgent.SubscribeAsync(ApplicationServer.PublicKey, Ct);
        Assert.Equal(2, PushService.SubscriptionCount);
        await UserAgent.UnsubscribeAsync(other, Ct);
        Assert.Equal(1, PushService.SubscriptionCount);
        await AssertRefusedAsync(ApplicationServer.Push(other), HttpStatusCode.Gone, "Unregistered");
    }

    [Fact]
    public async Task Another_method_than_POST_is_405()
    {
        using HttpResponseMessage response = await ApplicationServer.SendAsync(new HttpRequestMessage(HttpMethod.Get, Subscription.Endpoint));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
    }
}
