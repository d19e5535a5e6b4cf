using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using Notify.WebPush.Tests.Support;

namespace Notify.WebPush.Tests;

/// <summary>The table of answers, row by row, each given by a real server.</summary>
public sealed class PushOutcomeMappingTests : IDisposable
{
    private const string AnyHost = "push.example.net";
    private const string Fcm = "fcm.googleapis.com";

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    private readonly VapidKeyPair _keys = VapidKeyPair.Generate();

    public void Dispose() => _keys.Dispose();

    [Theory]
    [InlineData(200)]
    [InlineData(201)]
    [InlineData(202)]
    [InlineData(204)]
    [InlineData(206)]
    public async Task Every_2xx_is_accepted(int status) =>
        Assert.Equal(new PushOutcome.Accepted(status, null), await AnswerAsync(status, status == 204 ? "" : "thanks"));

    [Theory]
    [InlineData("0", 0L)]
    [InlineData("86400", 86400L)]
    [InlineData("99999999999999999999", 1L << 31)]
    [InlineData("-1", null)]
    [InlineData("1.5", null)]
    [InlineData("long", null)]
    public async Task The_time_to_live_that_the_service_grants_is_told(string header, long? seconds) =>
        Assert.Equal(
            new PushOutcome.Accepted(201, seconds is { } s ? TimeSpan.FromSeconds(s) : null),
            await AnswerAsync(201, "", ("TTL", header)));

    [Theory]
    [InlineData(404, "", null)]
    [InlineData(410, """{"reason":"Unregistered"}""", "Unregistered")]
    [InlineData(410, """{"code":410,"errno":106,"error":"Gone","message":"Request did not validate"}""", "errno 106: Request did not validate")]
    public async Task A_404_or_410_is_expired(int status, string body, string? reason) =>
        Assert.Equal(new PushOutcome.Expired(status, reason), await AnswerAsync(status, body));

    [Theory]
    [InlineData(401, """{"code":401,"errno":109,"error":"Unauthorized","message":"Invalid bearer token"}""", "errno 109: Invalid bearer token")]
    [InlineData(403, """{"reason":"BadJwtToken"}""", "BadJwtToken")]
    [InlineData(403, "the VAPID credentials in the authorization header do not correspond to the credentials used to create the subscriptions.\n",
        "the VAPID credentials in the authorization header do not correspond to the credentials used to create the subscriptions.")]
    public async Task A_401_or_403_is_unauthorised(int status, string body, string reason) =>
        Assert.Equal(new PushOutcome.Unauthorised(status, reason), await AnswerAsync(status, body));

    [Fact]
    public async Task A_413_is_too_large() =>
        Assert.Equal(new PushOutcome.TooLarge(413, "Payload Too Large"), await AnswerAsync(413, """{"error":"Payload Too Large"}"""));

    [Theory]
    [InlineData(400, """{"reason":"VapidPkHashMismatch"}""", "VapidPkHashMismatch")]
    [InlineData(400, """{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}""", "bad")]
    [InlineData(402, "", null)]
    [InlineData(405, "", null)]
    [InlineData(418, "teapot", "teapot")]
    [InlineData(499, "", null)]
    public async Task Every_other_4xx_is_rejected(int status, string body, string? reason) =>
        Assert.Equal(new PushOutcome.Rejected(status, reason), await AnswerAsync(status, body));

    [Theory]
    [InlineData(300)]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task Every_3xx_is_rejected_as_a_redirect(int status) =>
        Assert.Equal(new PushOutcome.Rejected(status, "redirected"), await AnswerAsync(status, "", ("Location", "https://push.example.net/elsewhere")));

    [Theory]
    [InlineData(406)]
    [InlineData(408)]
    [InlineData(425)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    [InlineData(599)]
    [InlineData(600)]
    [InlineData(999)]
    public async Task What_may_pass_is_for_later_at_the_time_asked_for(int status)
    {
        Assert.Equal(new PushOutcome.RetryLater(status, "busy", null), await AnswerAsync(status, "busy"));
        Assert.Equal(
            new PushOutcome.RetryLater(status, null, TimeSpan.FromSeconds(900)),
            await AnswerAsync(status, "", ("Retry-After", "900")));
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("120", 120)]
    [InlineData("2592001", 2592000)]
    [InlineData("2147483648", 2592000)]
    [InlineData("99999999999999999999999999", 2592000)]
    [InlineData("Fri, 02 Jan 2026 03:05:05 GMT", 60)]
    [InlineData("Friday, 02-Jan-26 03:05:05 GMT", 60)]
    [InlineData("Fri Jan  2 03:05:05 2026", 60)]
    [InlineData("Fri, 02 Jan 2026 03:04:05 GMT", 0)]
    [InlineData("Thu, 01 Jan 1970 00:00:00 GMT", 0)]
    [InlineData("Fri, 31 Dec 9999 23:59:59 GMT", 2592000)]
    [InlineData("-5", null)]
    [InlineData("1.5", null)]
    [InlineData("+5", null)]
    [InlineData("soon", null)]
    [InlineData("", null)]
    public async Task Retry_After_is_read_in_both_forms_and_bounded(string header, int? seconds) =>
        Assert.Equal(
            new PushOutcome.RetryLater(429, null, seconds is { } s ? TimeSpan.FromSeconds(s) : null),
            await AnswerAsync(429, "", ("Retry-After", header)));

    [Fact]
    public async Task FCM_alone_means_60_seconds_when_it_throttles_without_a_word()
    {
        Assert.Equal(TimeSpan.FromSeconds(60), await RetryAfterAsync(Fcm, 429));
        Assert.Equal(TimeSpan.FromSeconds(7), await RetryAfterAsync(Fcm, 429, "", ("Retry-After", "7")));
        Assert.Null(await RetryAfterAsync(Fcm, 503));
        Assert.Null(await RetryAfterAsync(AnyHost, 429));
    }

    [Fact]
    public async Task Mozilla_allows_a_retry_at_once_by_errno_202_alone()
    {
        Assert.Equal(TimeSpan.Zero, await RetryAfterAsync(AnyHost, 503, """{"code":503,"errno":202}"""));
        Assert.Equal(TimeSpan.FromSeconds(120), await RetryAfterAsync(AnyHost, 503, """{"code":503,"errno":202}""", ("Retry-After", "120")));
        Assert.Null(await RetryAfterAsync(AnyHost, 503, """{"code":503,"errno":201}"""));
        Assert.Null(await RetryAfterAsync(AnyHost, 429, """{"code":429,"errno":202}"""));
    }

    private async Task<TimeSpan?> RetryAfterAsync(string host, int status, string body = "", params (string Name, string Value)[] headers) =>
        Assert.IsType<PushOutcome.RetryLater>(await AnswerAsync(host, status, body, headers)).RetryAfter;

    private Task<PushOutcome> AnswerAsync(int status, string body, params (string Name, string Value)[] headers) =>
        AnswerAsync(AnyHost, status, body, headers);

    private async Task<PushOutcome> AnswerAsync(string host, int status, string body, params (string Name, string Value)[] headers)
    {
        await using var service = await FakePushService.StartAsync(async context =>
        {
            context.Response.StatusCode = status;
            foreach (var (name, value) in headers)
            {
                context.Response.Headers[name] = value;
            }

            if (body.Length > 0)
            {
                await context.Response.WriteAsync(body);
            }
        });
        using var http = new HttpClient(service.CreateHandler());
        var client = new PushServiceClient(http, new VapidTokens("mailto:push@example.com", _time), _time);

        var outcome = await client.SendAsync(
            new UserAgent().Subscribe($"http://{host}/p"), new PushMessage("x"u8.ToArray()), _keys, TestContext.Current.CancellationToken);

        Assert.Single(service.Requests);
        return outcome;
    }
}
