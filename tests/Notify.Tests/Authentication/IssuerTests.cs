using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Microsoft.IdentityModel.Tokens;
using Notify.Authentication;

namespace Notify.Tests.Authentication;

/// <summary>The tokens of an OpenID Connect issuer, asked for its keys over HTTP.</summary>
public sealed class IssuerTests : IAsyncLifetime
{
    private readonly RSA _rsa = RSA.Create(2048);
    private readonly LogCollector _log = new();
    private readonly LoggerFactory _logs;
    private Func<IResult?> _whenAsked = () => null;
    private WebApplication _issuer = null!;
    private NotifyService _service = null!;
    private HttpClient _http = null!;

    public IssuerTests() => _logs = new LoggerFactory([_log]);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Issuer => _issuer.Urls.Single();

    private RsaSecurityKey Key => new(_rsa) { KeyId = "key" };

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _issuer = builder.Build();
        _issuer.MapGet("/.well-known/openid-configuration", () => _whenAsked() ?? Results.Json(new Dictionary<string, string> { ["issuer"] = Issuer, ["jwks_uri"] = $"{Issuer}/keys" }));
        var (modulus, exponent) = (Base64UrlEncoder.Encode(_rsa.ExportParameters(false).Modulus), Base64UrlEncoder.Encode(_rsa.ExportParameters(false).Exponent));
        _issuer.MapGet("/keys", () => new { keys = new[] { new { kty = "RSA", kid = "key", n = modulus, e = exponent } } });
        await _issuer.StartAsync(Cancellation);
        _service = await NotifyService.StartAsync($"--Notify:Auth:Authority={Issuer}", "--Notify:Auth:Audience=notify");
        _http = new HttpClient { BaseAddress = _service.Url };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _service.DisposeAsync();
        await _issuer.DisposeAsync();
        _rsa.Dispose();
        _logs.Dispose();
        _log.Dispose();
    }

    [Fact]
    public async Task Its_tokens_count_and_nobody_elses()
    {
        Assert.Equal(HttpStatusCode.OK, await GetAsync(Token(Key)));
        Assert.Equal(HttpStatusCode.OK, await GetAsync(Token(Key, SecurityAlgorithms.RsaSsaPssSha512)));

        using var another = RSA.Create(2048);
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(new RsaSecurityKey(another) { KeyId = "key" })));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(Key, change: token => token.Issuer = "https://another.example")));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(Key, change: token => token.Issuer = null)));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(Key, change: token => token.Audience = "another")));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(Key, change: Tokens.Between(-600, -60))));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(Key, change: Tokens.Between(60, 600))));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Tokens.Create(null, token => token.Issuer = Issuer)));
    }

    [Fact]
    public async Task Its_public_key_is_nobodys_shared_key()
    {
        byte[][] secrets =
        [
            Encoding.ASCII.GetBytes(_rsa.ExportSubjectPublicKeyInfoPem()), Encoding.ASCII.GetBytes(_rsa.ExportSubjectPublicKeyInfoPem() + "\n"), _rsa.ExportSubjectPublicKeyInfo(),
            Encoding.ASCII.GetBytes(_rsa.ExportRSAPublicKeyPem()), _rsa.ExportRSAPublicKey(), _rsa.ExportParameters(false).Modulus!,
        ];

        foreach (var secret in secrets)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(new SymmetricSecurityKey(secret) { KeyId = "key" }, SecurityAlgorithms.HmacSha256)));
        }
    }

    [Fact]
    public async Task While_it_cannot_be_asked_requests_are_answered_with_503_and_the_log_says_so_once()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var isAway = true;
        _whenAsked = () => isAway ? Results.StatusCode(500) : null;
        await using var service = await StartAsync(new IssuerEvents(time, _logs.CreateLogger<IssuerEvents>()));
        using var http = new HttpClient { BaseAddress = service.Url };

        using (var response = await SendAsync(http, "api/subscriptions"))
        {
            var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancellation)).RootElement;
            Assert.Equal((HttpStatusCode.ServiceUnavailable, "5", "unavailable"), (response.StatusCode, response.Headers.GetValues("Retry-After").Single(), problem.GetProperty("code").GetString()));
        }

        // Left alone meanwhile, and no hindrance to what needs no token.
        isAway = false;
        using (var response = await SendAsync(http, "api/subscriptions"))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        }

        using (var response = await SendAsync(http, "api/vapid-public-key"))
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        time.Advance(IssuerEvents.Rest);
        using (var response = await SendAsync(http, "api/subscriptions"))
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        Assert.Single(_log.Lines, line => line.Contains("Notify__Auth__Authority", StringComparison.Ordinal) && line.Contains($"does not tell its keys at {Issuer}", StringComparison.Ordinal));
        Assert.Single(_log.Lines, line => line.Contains($"tells its keys at {Issuer}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_that_does_not_answer_holds_nobody_up_for_longer_than_its_time()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        var silent = new TaskCompletionSource();
        _whenAsked = () =>
        {
            silent.Task.Wait(Cancellation);
            return null;
        };
        try
        {
            var events = new IssuerEvents(time, NullLogger<IssuerEvents>.Instance);
            await using var service = await StartAsync(events);
            using var http = new HttpClient { BaseAddress = service.Url };
            var requests = Enumerable.Range(0, 3).Select(_ => SendAsync(http, "api/subscriptions")).ToList();

            using (var response = await SendAsync(http, "api/vapid-public-key"))
            {
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            }

            await Eventually.TrueAsync(() =>
            {
                time.Advance(IssuerEvents.Patience / 10);
                return requests.TrueForAll(request => request.IsCompleted);
            });

            foreach (var response in await Task.WhenAll(requests))
            {
                using (response)
                {
                    Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
                }
            }
        }
        finally
        {
            silent.SetResult();
        }
    }

    private string Token(SecurityKey key, string algorithm = SecurityAlgorithms.RsaSha256, Action<SecurityTokenDescriptor>? change = null) =>
        Tokens.Create(new SigningCredentials(key, algorithm), token =>
        {
            token.Issuer = Issuer;
            change?.Invoke(token);
        });

    private Task<NotifyService> StartAsync(IssuerEvents events) => NotifyService.StartAsync(
        null, builder => builder.Services.AddSingleton(events), $"--Notify:Auth:Authority={Issuer}", "--Notify:Auth:Audience=notify");

    private async Task<HttpResponseMessage> SendAsync(HttpClient http, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token(Key));
        return await http.SendAsync(request, Cancellation);
    }

    private async Task<HttpStatusCode> GetAsync(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "api/subscriptions");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await _http.SendAsync(request, Cancellation);
        return response.StatusCode;
    }
}
