using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using Notify.WebPush;

namespace Notify.Tests.Authentication;

/// <summary>Outside Development only the application's tokens count.</summary>
public sealed class TokenTests : IAsyncLifetime
{
    private const string Key = "0123456789abcdef0123456789abcdef";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("notify-test-");
    private WebApplication _app = null!;
    private HttpClient _http = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        using var pair = VapidKeyPair.Generate();
        _app = NotifyApplication.Create(
        [
            "--environment=Production",
            "--urls=http://127.0.0.1:0",
            $"--ConnectionStrings:Notify=Data Source={Path.Combine(_folder.FullName, "notify.db")}",
            "--Notify:Vapid:Subject=mailto:ops@example.com",
            $"--Notify:Vapid:PublicKey={pair.PublicKey}",
            $"--Notify:Vapid:PrivateKey={pair.PrivateKey}",
            $"--Notify:Auth:SigningKey={Key}",
            "--Notify:Auth:Audience=notify",
        ],
        builder => builder.Logging.ClearProviders());
        await _app.StartAsync(Cancellation);
        _http = new HttpClient { BaseAddress = NotifyApplication.AddressOf(_app) };
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_token_names_the_user_by_its_sub_claim() => Assert.Equal(HttpStatusCode.OK, await GetAsync(Token()));

    [Fact]
    public async Task The_development_header_does_not_count()
    {
        _http.DefaultRequestHeaders.Add("X-Notify-User", "ada");

        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(null));
    }

    [Fact]
    public async Task A_token_of_another_key_audience_algorithm_or_time_does_not_count()
    {
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(key: new string('x', 32))));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(audience: "another")));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(algorithm: SecurityAlgorithms.HmacSha512, key: Key + Key)));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Token(expires: DateTime.UtcNow.AddHours(-1))));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJhdWQiOiJub3RpZnkiLCJleHAiOjk5OTk5OTk5OTl9."));
    }

    [Theory]
    [InlineData(null, HttpStatusCode.Forbidden)]
    [InlineData("notify.publisher", HttpStatusCode.Forbidden)]
    [InlineData("openid notify.publish", HttpStatusCode.Accepted)]
    public async Task Publishing_takes_the_scope(string? scope, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/messages")
        {
            Content = JsonContent.Create(new { messageId = Guid.NewGuid(), recipientIds = new[] { "ada" }, title = "t" }),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token(scope: scope));
        using var response = await _http.SendAsync(request, Cancellation);

        Assert.Equal(expected, response.StatusCode);
    }

    private async Task<HttpStatusCode> GetAsync(string? token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "api/subscriptions");
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        using var response = await _http.SendAsync(request, Cancellation);
        return response.StatusCode;
    }

    private static string Token(string key = Key, string audience = "notify", string algorithm = SecurityAlgorithms.HmacSha256, DateTime? expires = null, string? scope = null)
    {
        var claims = new List<Claim> { new("sub", "ada") };
        if (scope is not null)
        {
            claims.Add(new Claim("scope", scope));
        }

        var end = expires ?? DateTime.UtcNow.AddMinutes(5);
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Subject = new ClaimsIdentity(claims),
            Audience = audience,
            NotBefore = end.AddHours(-2),
            IssuedAt = end.AddHours(-2),
            Expires = end,
            SigningCredentials = new SigningCredentials(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(key)), algorithm),
        });
    }
}
