using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;

namespace Notify.Tests.Authentication;

/// <summary>The tokens of an OpenID Connect issuer, asked for its keys over HTTP.</summary>
public sealed class IssuerTests : IAsyncLifetime
{
    private readonly RSA _rsa = RSA.Create(2048);
    private WebApplication _issuer = null!;
    private NotifyService _service = null!;
    private HttpClient _http = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Issuer => _issuer.Urls.Single();

    private RsaSecurityKey Key => new(_rsa) { KeyId = "key" };

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _issuer = builder.Build();
        _issuer.MapGet("/.well-known/openid-configuration", () => new Dictionary<string, string> { ["issuer"] = Issuer, ["jwks_uri"] = $"{Issuer}/keys" });
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

    private string Token(SecurityKey key, string algorithm = SecurityAlgorithms.RsaSha256, Action<SecurityTokenDescriptor>? change = null) =>
        Tokens.Create(new SigningCredentials(key, algorithm), token =>
        {
            token.Issuer = Issuer;
            change?.Invoke(token);
        });

    private async Task<HttpStatusCode> GetAsync(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "api/subscriptions");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await _http.SendAsync(request, Cancellation);
        return response.StatusCode;
    }
}
