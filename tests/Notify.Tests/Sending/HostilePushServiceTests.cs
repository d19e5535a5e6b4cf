using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Notify.LocalPushService;
using Notify.Sending;
using Notify.Tests.Store;
using Notify.WebPush;
using Notify.WebPush.Tests.Support;

namespace Notify.Tests.Sending;

/// <summary>What an endpoint that is nobody's friend can do to the client as the service uses it.</summary>
public sealed class HostilePushServiceTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_redirect_inwards_reaches_nobody(int status)
    {
        var reached = 0;
        await using var inside = new RawServer((_, _) => Task.FromResult(Interlocked.Increment(ref reached)));
        await using var outside = Answering($"HTTP/1.1 {status} Elsewhere\r\nLocation: {inside.Origin}/latest/meta-data\r\nContent-Length: 0\r\n\r\n");

        Assert.Equal(new PushOutcome.Rejected(status, "redirected"), await SendAsync(outside.Origin));
        Assert.Equal(0, reached);
    }

    [Fact]
    public async Task A_host_of_the_list_that_resolves_to_a_private_address_is_not_connected_to()
    {
        var reached = 0;
        await using var inside = new RawServer((_, _) => Task.FromResult(Interlocked.Increment(ref reached)));
        var port = new Uri(inside.Origin).Port;
        foreach (var answer in new[] { "127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "192.0.2.2", "10.0.0.1" })
        {
            var exception = await RefusalAsync($"http://web.push.apple.com:{port}/abc", IPAddress.Parse(answer));
            Assert.Contains("no public address", exception.Message, StringComparison.Ordinal);
        }

        // Nor one that is on the list no more, wherever it is.
        Assert.Contains("not a push service", (await RefusalAsync($"http://push.example.com:{port}/abc", IPAddress.Parse("142.250.74.138"))).Message, StringComparison.Ordinal);
        Assert.Equal(0, reached);
    }

    [Fact]
    public async Task Of_several_addresses_only_public_ones_are_tried()
    {
        var reached = 0;
        await using var inside = new RawServer((_, _) => Task.FromResult(Interlocked.Increment(ref reached)));

        // Where no route leads to the public one, that is an error too.
        using var soon = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        soon.CancelAfter(TimeSpan.FromSeconds(2));
        await Assert.ThrowsAnyAsync<Exception>(() => ConnectAsync($"http://web.push.apple.com:{new Uri(inside.Origin).Port}/abc", soon.Token, IPAddress.Loopback, IPAddress.Parse("192.88.98.1")));

        Assert.Equal(0, reached);
    }

    [Fact]
    public async Task An_answer_that_drips_is_given_up_in_time()
    {
        await using var server = new RawServer(async (socket, stopping) =>
        {
            await socket.SendAsync("HTTP/1.1 201 Created\r\n"u8.ToArray(), stopping);
            try
            {
                while (true)
                {
                    await socket.SendAsync("x"u8.ToArray(), stopping);
                    await Task.Delay(50, stopping);
                }
            }
            catch (SocketException)
            {
            }
        });

        Assert.Equal(new PushOutcome.RetryLater(null, "timed out", null), await SendAsync(server.Origin, "--Notify:Sending:Timeout=00:00:01"));
    }

    [Fact]
    public async Task Why_a_host_at_a_private_address_is_not_pushed_to_is_told()
    {
        using var handler = HandlerOf(IPAddress.Loopback);
        using var http = new HttpClient(handler);
        using var keys = VapidKeyPair.Generate();
        var client = new PushServiceClient(http, new VapidTokens("mailto:ops@example.com", TimeProvider.System), TimeProvider.System);

        var outcome = await client.SendAsync(TestStore.NewPushSubscription("https://web.push.apple.com/abc"), new PushMessage("hello"u8.ToArray()), keys, Cancellation);

        Assert.Equal(new PushOutcome.RetryLater(null, "connection not allowed: web.push.apple.com has no public address, and only those are pushed to", null), outcome);
    }

    [Fact]
    public async Task A_body_is_not_unpacked()
    {
        using var packed = new MemoryStream();
        await using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            await gzip.WriteAsync(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("bomb ", 200))), Cancellation);
        }

        await using var server = Answering([.. Encoding.ASCII.GetBytes($"HTTP/1.1 400 Bad Request\r\nContent-Encoding: gzip\r\nContent-Length: {packed.Length}\r\n\r\n"), .. packed.ToArray()]);

        var outcome = Assert.IsType<PushOutcome.Rejected>(await SendAsync(server.Origin));
        Assert.DoesNotContain("bomb", outcome.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_proxy_of_the_environment_is_not_used()
    {
        var proxied = 0;
        await using var proxy = new RawServer((_, _) => Task.FromResult(Interlocked.Increment(ref proxied)));
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        var start = new ProcessStartInfo("dotnet", [typeof(NotifyApplication).Assembly.Location, "--environment=Development", "--urls=http://127.0.0.1:0", "--Notify:LocalPushService:Url=http://127.0.0.1:0"])
        {
            RedirectStandardOutput = true, WorkingDirectory = folder.FullName,
        };
        foreach (var name in new[] { "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy" })
        {
            start.Environment[name] = proxy.Origin;
        }

        using var process = Process.Start(start)!;
        try
        {
            var (push, url) = (await SaidAsync(process, "Local push service listening on "), await SaidAsync(process, "Notify is ready: open "));
            _ = process.StandardOutput.ReadToEndAsync(Cancellation);
            using var handler = new SocketsHttpHandler { UseProxy = false };
            using var http = new HttpClient(handler) { BaseAddress = url };
            http.DefaultRequestHeaders.Add("X-Notify-User", "ada");
            await using var browser = await LocalUserAgent.ConnectAsync(push, Cancellation);
            var key = await http.GetFromJsonAsync<JsonElement>("api/vapid-public-key", Cancellation);
            await NotifyService.RegisterAsync(http, (await browser.SubscribeAsync(key.GetProperty("publicKey").GetString(), Cancellation)).ToJson());
            using var posted = await http.PostAsJsonAsync("api/messages", new { messageId = Guid.NewGuid(), recipientIds = new[] { "ada" }, title = "Hello" }, Cancellation);
            Assert.Equal(HttpStatusCode.Accepted, posted.StatusCode);

            Assert.Equal("Hello", Browser.TitleOf(await browser.Received.ReadAsync(Cancellation).AsTask().WaitAsync(Eventually.Patience, Cancellation)));
            Assert.Equal(0, proxied);
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            folder.Delete(recursive: true);
        }
    }

    private static async Task<Uri> SaidAsync(Process process, string words)
    {
        while (await process.StandardOutput.ReadLineAsync(Cancellation) is { } line)
        {
            if (line.IndexOf(words, StringComparison.Ordinal) is var start and >= 0)
            {
                return new Uri(line[(start + words.Length)..].Split(' ')[0]);
            }
        }

        throw new InvalidOperationException($"The service ended before it said: {words}");
    }

    private static RawServer Answering(string answer) => Answering(Encoding.ASCII.GetBytes(answer));

    private static RawServer Answering(byte[] answer) => new(async (socket, stopping) =>
    {
        var buffer = new byte[16 * 1024];
        await socket.ReceiveAsync(buffer, stopping);
        await socket.SendAsync(answer, stopping);
        socket.Shutdown(SocketShutdown.Send);
        while (await socket.ReceiveAsync(buffer, stopping) > 0)
        {
        }
    });

    private static async Task<PushOutcome> SendAsync(string origin, params string[] settings)
    {
        await using var service = await NotifyService.StartAsync([$"--Notify:PushServices:Allowed:0={origin}", .. settings]);
        return await service.Services.GetRequiredService<PushServiceClient>().SendAsync(
            TestStore.NewPushSubscription(origin + "/push/abc"), new PushMessage("hello"u8.ToArray()), service.Services.GetRequiredService<VapidKeyRing>().Current, Cancellation);
    }

    private static async Task<HttpRequestException> RefusalAsync(string url, params IPAddress[] answers) =>
        await Assert.ThrowsAsync<HttpRequestException>(() => ConnectAsync(url, Cancellation, answers));

    private static async Task ConnectAsync(string url, CancellationToken cancellationToken, params IPAddress[] answers)
    {
        using var handler = HandlerOf(answers);
        using var http = new HttpClient(handler);
        using var response = await http.GetAsync(url, cancellationToken);
    }

    private static SocketsHttpHandler HandlerOf(params IPAddress[] answers)
    {
        var handler = PushServiceClient.CreateHandler();
        handler.ConnectCallback = new PublicAddresses(new PushServiceAllowList(Options.Create(new PushServicesOptions())), (_, _) => Task.FromResult(answers)).ConnectAsync;
        return handler;
    }
}
