using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Notify.WebPush.Tests.Support;

namespace Notify.WebPush.Tests;

public sealed class PushServiceClientTests : IDisposable
{
    // In milliseconds: when what a test waits for never happens.
    private const int TooLong = 60_000;

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    private readonly VapidKeyPair _keys = VapidKeyPair.Generate();
    private readonly VapidTokens _tokens;
    private readonly UserAgent _userAgent = new();

    public PushServiceClientTests() => _tokens = new VapidTokens("mailto:push@example.com", _time);

    public void Dispose() => _keys.Dispose();

    [Theory]
    [InlineData(false, "HTTP/1.1")]
    [InlineData(true, "HTTP/2")]
    public async Task A_push_arrives_whole_and_is_read_by_the_user_agent(bool useTls, string protocol)
    {
        await using var service = await FakePushService.StartAsync(Answer(201), useTls);
        var message = new PushMessage("hello"u8.ToArray())
        {
            TimeToLive = TimeSpan.FromSeconds(59.9),
            Urgency = PushUrgency.High,
            Topic = "conversation_1-2",
        };

        var outcome = await SendAsync(service, service.Origin + "/push/abc?token=d%2be", message);

        Assert.Equal(new PushOutcome.Accepted(201, null), outcome);
        var request = Assert.Single(service.Requests);
        Assert.Equal("POST", request.Method);
        Assert.Equal("/push/abc?token=d%2be", request.Target);
        Assert.Equal(protocol, request.Protocol);
        Assert.Equal("59", request.Headers["TTL"]);
        Assert.Equal("high", request.Headers["Urgency"]);
        Assert.Equal("conversation_1-2", request.Headers["Topic"]);
        Assert.Equal("aes128gcm", request.Headers["Content-Encoding"]);
        Assert.Equal("108", request.Headers["Content-Length"]);
        Assert.Equal(_tokens.GetAuthorization(new Uri(service.Origin), _keys), request.Headers["Authorization"]);
        Assert.Equal("hello"u8.ToArray(), _userAgent.Decrypt(request.Body));
        Assert.Equal(
            ["authorization", "content-encoding", "content-length", "content-type", "host", "topic", "ttl", "urgency"],
            Names(request));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_push_without_payload_has_no_body_and_says_so(bool useTls)
    {
        await using var service = await FakePushService.StartAsync(Answer(201), useTls);

        await SendAsync(service, service.Origin + "/push/abc", new PushMessage(default));

        var request = Assert.Single(service.Requests);
        Assert.Equal("0", request.Headers["Content-Length"]);
        Assert.Empty(request.Body);
        Assert.Equal("0", request.Headers["TTL"]);
        Assert.Equal("normal", request.Headers["Urgency"]);
        Assert.Equal(
            ["authorization", "content-length", "host", "ttl", "urgency"],
            Names(request));
    }

    [Fact]
    public async Task A_push_service_gets_neither_its_cookies_back_nor_a_trace_of_ours()
    {
        await using var service = await FakePushService.StartAsync(async context =>
        {
            context.Response.Headers.SetCookie = "id=1; Path=/";
            await Answer(201)(context);
        });
        using var activity = new Activity("ours").Start();
        using var http = new HttpClient(service.CreateHandler());
        var client = new PushServiceClient(http, _tokens, _time);

        for (var i = 0; i < 2; i++)
        {
            await client.SendAsync(_userAgent.Subscribe(service.Origin + "/push/abc"), new PushMessage(default), _keys, TestContext.Current.CancellationToken);
        }

        Assert.Equal(2, service.Requests.Count);
        Assert.All(service.Requests, request => Assert.Equal(["authorization", "content-length", "host", "ttl", "urgency"], Names(request)));
    }

    [Theory]
    [InlineData(PushUrgency.VeryLow, "very-low")]
    [InlineData(PushUrgency.Low, "low")]
    [InlineData(PushUrgency.Normal, "normal")]
    [InlineData(PushUrgency.High, "high")]
    public async Task The_urgency_goes_out_by_its_name(PushUrgency urgency, string name)
    {
        await using var service = await FakePushService.StartAsync(Answer(201));

        await SendAsync(service, service.Origin + "/p", new PushMessage(default) { Urgency = urgency });

        Assert.Equal(name, Assert.Single(service.Requests).Headers["Urgency"]);
    }

    [Theory]
    [InlineData("http://wns2-par02p.notify.windows.com/w/?token=abc", 0.5, true)]
    [InlineData("http://wns2-par02p.notify.windows.com/w/?token=abc", 1, false)]
    [InlineData("http://push.example.net/w/?token=abc", 0, false)]
    public async Task WNS_alone_is_told_not_to_cache_what_must_not_wait(string endpoint, double seconds, bool isTold)
    {
        await using var service = await FakePushService.StartAsync(Answer(201));

        await SendAsync(service, endpoint, new PushMessage(default) { TimeToLive = TimeSpan.FromSeconds(seconds) });

        Assert.Equal(isTold ? "no-cache" : null, Assert.Single(service.Requests).Headers.GetValueOrDefault("X-WNS-Cache-Policy"));
    }

    [Theory]
    [InlineData("", "The token [redacted] is bad")]
    [InlineData("the body's word", "the body's word")]
    public async Task Where_the_body_says_nothing_the_header_of_WNS_tells_what_is_wrong(string body, string reason)
    {
        await using var service = await FakePushService.StartAsync(async context =>
        {
            context.Response.StatusCode = 400;
            context.Response.Headers["X-WNS-Error-Description"] = "The token /w/?token=secret-token is bad";
            await context.Response.WriteAsync(body);
        });

        var outcome = await SendAsync(service, service.Origin + "/w/?token=secret-token", new PushMessage(default));

        Assert.Equal(reason, Assert.IsType<PushOutcome.Rejected>(outcome).Reason);
    }

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_redirect_is_not_followed(int status)
    {
        await using var service = await FakePushService.StartAsync(context =>
        {
            context.Response.StatusCode = context.Request.Path == "/elsewhere" ? 201 : status;
            context.Response.Headers.Location = "/elsewhere";
            return Task.CompletedTask;
        });

        Assert.Equal(new PushOutcome.Rejected(status, "redirected"), await SendAsync(service, service.Origin + "/p"));
        Assert.Equal("/p", Assert.Single(service.Requests).Target);
    }

    [Fact]
    public async Task The_reason_comes_from_the_body_without_the_endpoint()
    {
        await using var service = await FakePushService.StartAsync(async context =>
        {
            context.Response.StatusCode = 400;
            await context.Response.WriteAsync($$"""{"reason":"BadTtl for {{context.Request.Path}}"}""");
        });

        Assert.Equal(new PushOutcome.Rejected(400, "BadTtl for [redacted]"), await SendAsync(service, service.Origin + "/push/secret-token"));
    }

    [Fact(Timeout = TooLong)]
    public async Task An_answer_that_does_not_come_in_time_is_for_later()
    {
        var arrived = new TaskCompletionSource();
        await using var service = await FakePushService.StartAsync(async context =>
        {
            arrived.SetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });

        var sending = SendAsync(service, service.Origin + "/p");
        await arrived.Task.WaitAsync(TestContext.Current.CancellationToken);
        _time.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromTicks(1));
        Assert.False(sending.IsCompleted);
        _time.Advance(TimeSpan.FromTicks(1));

        Assert.Equal(new PushOutcome.RetryLater(null, "timed out", null), await sending);
    }

    [Fact(Timeout = TooLong)]
    public async Task A_body_that_does_not_end_in_time_leaves_the_status_known()
    {
        await using var service = await FakePushService.StartAsync(async context =>
        {
            context.Response.StatusCode = 410;
            await context.Response.WriteAsync("gone");
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });

        using var handler = new HeadersSeenHandler(service.CreateHandler());
        var sending = SendAsync(handler, service.Origin + "/p", new PushMessage(default), TestContext.Current.CancellationToken);
        await handler.HeadersSeen.WaitAsync(TestContext.Current.CancellationToken);
        _time.Advance(TimeSpan.FromSeconds(10));

        Assert.Equal(410, Assert.IsType<PushOutcome.Expired>(await sending).Status);
    }

    [Fact(Timeout = TooLong)]
    public async Task The_callers_cancellation_throws()
    {
        using var caller = new CancellationTokenSource();
        await using var service = await FakePushService.StartAsync(async context =>
        {
            await caller.CancelAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });

        using var either = CancellationTokenSource.CreateLinkedTokenSource(caller.Token, TestContext.Current.CancellationToken);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => SendAsync(service, service.Origin + "/p", cancellationToken: either.Token));
        Assert.True(caller.IsCancellationRequested);
        Assert.Single(service.Requests);
    }

    [Fact(Timeout = TooLong)]
    public async Task A_cancellation_after_the_answer_ends_no_later_request()
    {
        using var earlier = new CancellationTokenSource();
        await using var service = await FakePushService.StartAsync(async context =>
        {
            if (context.Request.Path == "/later")
            {
                await earlier.CancelAsync();
            }

            context.Response.StatusCode = 201;
        });
        using var http = new HttpClient(service.CreateHandler());

        // By the system's clock, since with no other are the sources of cancellation used again.
        var client = new PushServiceClient(http, _tokens, TimeProvider.System);

        await client.SendAsync(_userAgent.Subscribe(service.Origin + "/earlier"), new PushMessage(default), _keys, earlier.Token);
        var outcome = await client.SendAsync(
            _userAgent.Subscribe(service.Origin + "/later"), new PushMessage(default), _keys, TestContext.Current.CancellationToken);

        Assert.Equal(new PushOutcome.Accepted(201, null), outcome);
        Assert.True(earlier.IsCancellationRequested);
    }

    [Fact(Timeout = TooLong)]
    public async Task A_body_of_100_MB_is_not_read_whole()
    {
        const int total = 100_000_000;
        var sent = 0;
        var done = new TaskCompletionSource();
        await using var server = new RawServer(async (socket, stopping) =>
        {
            await RawServer.ReadRequestAsync(socket, stopping);
            await socket.SendAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 400 Bad Request\r\nContent-Length: {total}\r\n\r\n"), stopping);
            var chunk = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("no", 5000)));
            try
            {
                while (sent < total)
                {
                    sent += await socket.SendAsync(chunk, stopping);
                }
            }
            catch (SocketException)
            {
                done.SetResult();
            }
        });

        var outcome = await SendAsync(PushServiceClient.CreateHandler(), server.Origin + "/p", new PushMessage(default), TestContext.Current.CancellationToken);

        Assert.True(outcome is PushOutcome.Rejected { Status: 400 });

        // The client closed the connection; what the server got rid of before lies in the buffers of the two sockets.
        await done.Task.WaitAsync(TestContext.Current.CancellationToken);
        Assert.InRange(sent, 1024, total / 4);
    }

    [Fact]
    public async Task A_connection_reset_is_for_later()
    {
        await using var server = new RawServer(async (socket, stopping) =>
        {
            await RawServer.ReadRequestAsync(socket, stopping);
            socket.Close(timeout: 0);
        });

        await FailsAsync(server.Origin + "/push/secret-token");
    }

    [Fact]
    public async Task A_refused_connection_is_for_later()
    {
        string origin;
        await using (var server = new RawServer((_, _) => Task.CompletedTask))
        {
            origin = server.Origin;
        }

        Assert.Equal("connection failed (ConnectionError)", (await FailsAsync(origin + "/push/secret-token")).Reason);
    }

    [Theory]
    [InlineData("no HTTP at all\r\n\r\n")]
    [InlineData("HTTP/1.1 banana\r\n\r\n")]
    [InlineData("HTTP/1.1 201 Created\r\nContent-Length: banana\r\nno header\r\n\r\n")]
    [InlineData("HTTP/1.1 201")]
    [InlineData("\0\u0001\u0002")]
    [InlineData("")]
    public async Task An_answer_that_is_no_HTTP_is_for_later(string answer)
    {
        await using var server = new RawServer(async (socket, stopping) =>
        {
            await RawServer.ReadRequestAsync(socket, stopping);
            await socket.SendAsync(Encoding.Latin1.GetBytes(answer), stopping);
            socket.Shutdown(SocketShutdown.Send);
            while (await socket.ReceiveAsync(new byte[100], stopping) > 0)
            {
            }
        });

        await FailsAsync(server.Origin + "/push/secret-token");
    }

    [Fact(Timeout = TooLong)]
    public async Task Headers_without_end_are_for_later()
    {
        var sent = 0;
        var done = new TaskCompletionSource();
        await using var server = new RawServer(async (socket, stopping) =>
        {
            await RawServer.ReadRequestAsync(socket, stopping);
            try
            {
                await socket.SendAsync("HTTP/1.1 201 Created\r\n"u8.ToArray(), stopping);
                while (true)
                {
                    sent += await socket.SendAsync(Encoding.ASCII.GetBytes($"x: {new string('x', 1000)}\r\n"), stopping);
                }
            }
            catch (SocketException)
            {
                done.SetResult();
            }
        });

        await FailsAsync(server.Origin + "/push/secret-token");

        await done.Task.WaitAsync(TestContext.Current.CancellationToken);
        Assert.InRange(sent, 1024, 25_000_000);
    }

    [Fact]
    public async Task A_broken_body_leaves_the_status_known()
    {
        await using var server = new RawServer(async (socket, stopping) =>
        {
            await RawServer.ReadRequestAsync(socket, stopping);
            await socket.SendAsync("HTTP/1.1 404 Not Found\r\nContent-Length: 500\r\n\r\nno such subscription"u8.ToArray(), stopping);
            socket.Shutdown(SocketShutdown.Both);
        });

        var outcome = await SendAsync(PushServiceClient.CreateHandler(), server.Origin + "/p", new PushMessage(default), TestContext.Current.CancellationToken);

        Assert.Equal(new PushOutcome.Expired(404, "no such subscription"), outcome);
    }

    [Fact]
    public async Task A_certificate_that_is_not_trusted_is_for_later()
    {
        await using var service = await FakePushService.StartAsync(Answer(201), useTls: true);
        var handler = service.CreateHandler();
        handler.SslOptions = new();

        Assert.Equal("connection failed (SecureConnectionError)", (await FailsAsync(service.Origin + "/p", handler)).Reason);
        Assert.Empty(service.Requests);
    }

    [Fact]
    public async Task A_refusal_by_the_callers_own_connect_callback_is_for_later()
    {
        var handler = PushServiceClient.CreateHandler();
        handler.ConnectCallback = (_, _) => throw new InvalidOperationException("/push/secret-token is not allowed");

        await FailsAsync("http://push.example.net/push/secret-token", handler);
    }

    [Fact]
    public void A_timeout_of_no_length_is_refused()
    {
        using var http = new HttpClient();

        Assert.Throws<ArgumentOutOfRangeException>(() => new PushServiceClient(http, _tokens, _time) { Timeout = TimeSpan.Zero });
        Assert.Equal(TimeSpan.FromSeconds(10), new PushServiceClient(http, _tokens, _time).Timeout);
        Assert.Equal(Timeout.InfiniteTimeSpan, new PushServiceClient(http, _tokens, _time) { Timeout = Timeout.InfiniteTimeSpan }.Timeout);
    }

    // HTTP/2 spells them small, and has pseudo-headers that start with a colon.
    private static IEnumerable<string> Names(FakePushService.Request request) =>
        request.Headers.Keys.Where(k => k[0] != ':').Select(k => k.ToLowerInvariant()).Order(StringComparer.Ordinal);

    private static RequestDelegate Answer(int status) => context =>
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    };

    private async Task<PushOutcome.RetryLater> FailsAsync(string endpoint, SocketsHttpHandler? handler = null)
    {
        var outcome = await SendAsync(handler ?? PushServiceClient.CreateHandler(), endpoint, new PushMessage(default), TestContext.Current.CancellationToken);

        var retryLater = Assert.IsType<PushOutcome.RetryLater>(outcome);
        Assert.Null(retryLater.Status);
        Assert.Null(retryLater.RetryAfter);
        Assert.DoesNotContain("secret-token", outcome.ToString(), StringComparison.Ordinal);
        return retryLater;
    }

    private Task<PushOutcome> SendAsync(FakePushService service, string endpoint, PushMessage? message = null, CancellationToken? cancellationToken = null) =>
        SendAsync(service.CreateHandler(), endpoint, message ?? new PushMessage("x"u8.ToArray()), cancellationToken ?? TestContext.Current.CancellationToken);

    private async Task<PushOutcome> SendAsync(HttpMessageHandler handler, string endpoint, PushMessage message, CancellationToken cancellationToken)
    {
        // Its own timeout, by the real clock, would stand in for the one under test.
        using var http = new HttpClient(handler, disposeHandler: true) { Timeout = Timeout.InfiniteTimeSpan };
        var client = new PushServiceClient(http, _tokens, _time);
        return await client.SendAsync(_userAgent.Subscribe(endpoint), message, _keys, cancellationToken);
    }

    private sealed class HeadersSeenHandler(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        private readonly TaskCompletionSource _headersSeen = new();

        internal Task HeadersSeen => _headersSeen.Task;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var response = await base.SendAsync(request, cancellationToken);
            _headersSeen.SetResult();
            return response;
        }
    }
}
