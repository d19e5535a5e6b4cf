using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Notify.Tests.Subscriptions;

namespace Notify.Tests.Operations;

public sealed class RateLimitsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_user_who_asks_too_often_is_told_when_to_come_back_and_nobody_else_is()
    {
        await using var service = await NotifyService.StartAsync("--Notify:RateLimits:PerUser=3", "--Notify:RateLimits:PerPublisher=4", "--Notify:RateLimits:Window=01:00:00");
        using var ada = service.ClientOf("ada");
        await ExhaustAsync(ada, "api/subscriptions", 3);

        using var grace = service.ClientOf("grace");
        Assert.Equal(HttpStatusCode.OK, await GetAsync(grace, "api/subscriptions"));
        await ExhaustAsync(ada, $"api/messages/{Guid.NewGuid()}/deliveries", 4);

        // Neither is what a probe or a page asks for.
        foreach (var path in new[] { "health/live", "health/ready", "", "notify.js" })
        {
            Assert.Equal(HttpStatusCode.OK, await GetAsync(ada, path));
        }
    }

    [Fact]
    public async Task Who_is_nobody_is_counted_by_address_whatever_they_say_theirs_is()
    {
        await using var service = await NotifyService.StartAsync("--Notify:RateLimits:PerAddress=3", "--Notify:RateLimits:Window=01:00:00");
        using var http = new HttpClient { BaseAddress = service.Url };
        http.DefaultRequestHeaders.Add("Authorization", "Bearer not.a.token");
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(http, "api/subscriptions"));
        await ExhaustAsync(http, "api/vapid-public-key", 2);

        http.DefaultRequestHeaders.Add("X-Forwarded-For", "203.0.113.7");
        Assert.Equal(HttpStatusCode.TooManyRequests, await GetAsync(http, "api/subscriptions"));

        // A user at the same address is known by name.
        using var ada = service.ClientOf("ada");
        Assert.Equal(HttpStatusCode.OK, await GetAsync(ada, "api/subscriptions"));
    }

    [Fact]
    public async Task Two_callers_by_IPv4_are_told_apart_where_the_service_listens_to_both()
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6, "This machine has no IPv6");
        await using var service = await NotifyService.StartAsync("--urls=http://[::]:0", "--Notify:RateLimits:PerAddress=1", "--Notify:RateLimits:Window=01:00:00");

        foreach (var from in new[] { "127.0.0.2", "127.0.0.3" })
        {
            using var http = new HttpClient(new SocketsHttpHandler { ConnectCallback = (_, token) => ConnectAsync(from, token) }) { BaseAddress = new UriBuilder(service.Url) { Host = "127.0.0.1" }.Uri };
            Assert.Equal(HttpStatusCode.OK, await GetAsync(http, "api/vapid-public-key"));
            Assert.Equal(HttpStatusCode.TooManyRequests, await GetAsync(http, "api/vapid-public-key"));
        }

        async ValueTask<Stream> ConnectAsync(string from, CancellationToken token)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, service.Url.Port), token);
            return new NetworkStream(socket, ownsSocket: true);
        }
    }

    [Fact]
    public async Task A_known_proxys_word_on_the_address_counts()
    {
        await using var service = await NotifyService.StartAsync(
            "--Notify:RateLimits:PerAddress=1", "--Notify:RateLimits:Window=01:00:00", "--Notify:ForwardedHeaders:KnownProxies:0=127.0.0.0/8", "--Notify:ForwardedHeaders:KnownProxies:1=10.0.0.5");

        Assert.Equal(HttpStatusCode.OK, await GetAsync("203.0.113.7"));
        Assert.Equal(HttpStatusCode.TooManyRequests, await GetAsync("203.0.113.7"));
        Assert.Equal(HttpStatusCode.OK, await GetAsync("203.0.113.8"));

        // What the caller wrote stands to the left of what the proxies did.
        Assert.Equal(HttpStatusCode.TooManyRequests, await GetAsync("198.51.100.1, 203.0.113.7"));
        Assert.Equal(HttpStatusCode.TooManyRequests, await GetAsync("198.51.100.2, 203.0.113.7, 10.0.0.5"));

        // One network of IPv6 is one caller.
        Assert.Equal(HttpStatusCode.OK, await GetAsync("2001:db8:1:1::1"));
        Assert.Equal(HttpStatusCode.TooManyRequests, await GetAsync("2001:db8:1:1:ffff::2"));
        Assert.Equal(HttpStatusCode.OK, await GetAsync("2001:db8:1:2::1"));

        async Task<HttpStatusCode> GetAsync(string forwardedFor)
        {
            using var http = new HttpClient { BaseAddress = service.Url };
            http.DefaultRequestHeaders.Add("X-Forwarded-For", forwardedFor);
            return await RateLimitsTests.GetAsync(http, "api/vapid-public-key");
        }
    }

    [Fact]
    public async Task After_the_window_a_caller_is_let_in_again()
    {
        await using var service = await NotifyService.StartAsync("--Notify:RateLimits:PerUser=1", "--Notify:RateLimits:Window=00:00:01");
        using var ada = service.ClientOf("ada");
        await Eventually.GetAsync(() => GetAsync(ada, "api/subscriptions"), status => status == HttpStatusCode.TooManyRequests);

        await Eventually.GetAsync(() => GetAsync(ada, "api/subscriptions"), status => status == HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_refused_publication_is_not_published()
    {
        await using var service = await NotifyService.StartAsync("--Notify:RateLimits:PerPublisher=1", "--Notify:RateLimits:Window=01:00:00");
        using var http = service.ClientOf("publisher");
        var message = new { messageId = Guid.NewGuid(), recipientIds = new[] { "ada" }, title = "t" };
        using var first = await http.PostAsJsonAsync("api/messages", message, Cancellation);
        using var second = await http.PostAsJsonAsync("api/messages", message, Cancellation);

        Assert.Equal(HttpStatusCode.Accepted, first.StatusCode);
        await SubscriptionsApiTests.AssertProblemAsync(second, 429, "rate_limited");
    }

    private static async Task ExhaustAsync(HttpClient http, string path, int limit)
    {
        for (var i = 0; i < limit; i++)
        {
            Assert.Equal(HttpStatusCode.OK, await GetAsync(http, path));
        }

        using var refused = await http.GetAsync(path, Cancellation);
        await SubscriptionsApiTests.AssertProblemAsync(refused, 429, "rate_limited");
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
    }

    private static async Task<HttpStatusCode> GetAsync(HttpClient http, string path)
    {
        using var response = await http.GetAsync(path, Cancellation);
        return response.StatusCode;
    }
}
