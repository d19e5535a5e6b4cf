using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.IdentityModel.Tokens;
using Notify.WebPush;

namespace Notify.Tests.Authentication;

/// <summary>Outside Development, with a shared key.</summary>
public sealed class ProductionService : IAsyncLifetime
{
    public NotifyService Service { get; private set; } = null!;

    public static string[] Settings(VapidKeyPair pair) =>
    [
        "--environment=Production", "--Notify:Vapid:Subject=mailto:ops@example.com", $"--Notify:Vapid:PublicKey={pair.PublicKey}", $"--Notify:Vapid:PrivateKey={pair.PrivateKey}",
        $"--Notify:Auth:SigningKey={Tokens.SigningKey}", "--Notify:Auth:Audience=notify",
    ];

    public async ValueTask InitializeAsync()
    {
        using var pair = VapidKeyPair.Generate();
        Service = await NotifyService.StartAsync(Settings(pair));
    }

    public ValueTask DisposeAsync() => Service.DisposeAsync();
}

/// <summary>Outside Development only the application's tokens count.</summary>
public sealed class TokenTests(ProductionService shared) : IClassFixture<ProductionService>, IDisposable
{
    private readonly HttpClient _http = new() { BaseAddress = shared.Service.Url };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _http.Dispose();

    [Fact]
    public void Nothing_makes_keys_at_the_start_to_leave_them_in_the_home_directory() =>
        Assert.DoesNotContain(shared.Service.Services.GetServices<IHostedService>(), service => service.GetType().Assembly == typeof(IDataProtectionBuilder).Assembly);

    [Fact]
    public async Task A_token_names_the_user_by_its_sub_claim() => Assert.Equal(HttpStatusCode.OK, await GetAsync(Tokens.Signed()));

    [Fact]
    public async Task The_development_header_does_not_count()
    {
        _http.DefaultRequestHeaders.Add("X-Notify-User", "ada");

        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(null));
    }

    [Fact]
    public async Task A_token_of_another_key_audience_or_algorithm_does_not_count()
    {
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Tokens.Create(Credentials(new string('x', 32), SecurityAlgorithms.HmacSha256))));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Tokens.Signed(token => token.Audience = "another")));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Tokens.Signed(token => token.Audience = null)));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Tokens.Create(Credentials(Tokens.SigningKey + Tokens.SigningKey, SecurityAlgorithms.HmacSha512))));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(Tokens.Create(null)));
        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync("not.a.token"));
    }

    [Theory]
    [InlineData(-600, -60, HttpStatusCode.Unauthorized)]
    [InlineData(60, 600, HttpStatusCode.Unauthorized)]
    [InlineData(-600, -5, HttpStatusCode.OK)]
    [InlineData(5, 600, HttpStatusCode.OK)]
    public async Task A_token_counts_in_its_time_with_half_a_minute_for_clocks_that_differ(int from, int to, HttpStatusCode expected) =>
        Assert.Equal(expected, await GetAsync(Tokens.Signed(Tokens.Between(from, to))));

    [Fact]
    public async Task A_token_without_end_does_not_count()
    {
        var handler = new Microsoft.IdentityModel.JsonWebTokens.JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false };
        var token = handler.CreateToken(new SecurityTokenDescriptor { Subject = Tokens.Claims(("sub", "ada")), Audience = "notify", SigningCredentials = Credentials(Tokens.SigningKey, SecurityAlgorithms.HmacSha256) });

        Assert.Equal(HttpStatusCode.Unauthorized, await GetAsync(token));
    }

    [Fact]
    public async Task A_token_that_names_no_user_opens_no_users_subscriptions()
    {
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(Tokens.Signed(token => token.Subject = Tokens.Claims())));
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(Tokens.Signed(token => token.Subject = Tokens.Claims(("sub", "")))));
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(Tokens.Signed(token => token.Subject = Tokens.Claims(("sub", new string('x', 257))))));
        Assert.Equal(HttpStatusCode.Forbidden, await GetAsync(Tokens.Signed(token => token.Subject = Tokens.Claims(("sub", "a\u0000b")))));
    }

    [Theory]
    [InlineData(null, null, false)]
    [InlineData("scope", "notify.publisher", false)]
    [InlineData("scope", "xnotify.publish", false)]
    [InlineData("role", "notify.publish", false)]
    [InlineData("scope", "openid notify.publish", true)]
    [InlineData("scp", "openid notify.publish", true)]
    [InlineData("scp", "notify.publish", true)]
    public async Task Publishing_and_asking_after_deliveries_take_the_scope(string? claim, string? value, bool isLetIn)
    {
        var token = Tokens.Signed(token => token.Subject = claim is null ? token.Subject : Tokens.Claims(("sub", "ada"), (claim, value!)));

        Assert.Equal(isLetIn ? HttpStatusCode.Accepted : HttpStatusCode.Forbidden, await PublishAsync(token));
        Assert.Equal(isLetIn ? HttpStatusCode.OK : HttpStatusCode.Forbidden, await GetAsync(token, $"api/messages/{Guid.NewGuid()}/deliveries"));
    }

    [Fact]
    public async Task The_scopes_may_be_a_list()
    {
        var token = Tokens.Signed(token => token.Claims = new Dictionary<string, object> { ["scp"] = new[] { "openid", "notify.publish" } });

        Assert.Equal(HttpStatusCode.Accepted, await PublishAsync(token));
    }

    [Fact]
    public async Task A_scope_is_no_part_of_an_object_or_of_a_list_in_a_list()
    {
        foreach (var scope in new object[] { new Dictionary<string, object> { ["x"] = " notify.publish " }, new[] { new[] { "a notify.publish b" } } })
        {
            Assert.Equal(HttpStatusCode.Forbidden, await PublishAsync(Tokens.Signed(token => token.Claims = new Dictionary<string, object> { ["scope"] = scope })));
        }
    }

    [Fact]
    public async Task While_the_application_changes_its_key_tokens_of_both_count()
    {
        using var pair = WebPush.VapidKeyPair.Generate();
        var (current, other) = (new string('n', 32), new string('o', 32));
        await using var service = await NotifyService.StartAsync(
            [.. ProductionService.Settings(pair), $"--Notify:Auth:SigningKey={current}", $"--Notify:Auth:PreviousSigningKeys:0={Tokens.SigningKey}"]);
        using var http = new HttpClient { BaseAddress = service.Url };

        foreach (var (key, status) in new[] { (current, HttpStatusCode.OK), (Tokens.SigningKey, HttpStatusCode.OK), (other, HttpStatusCode.Unauthorized) })
        {
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Tokens.Create(Credentials(key, SecurityAlgorithms.HmacSha256)));
            using var response = await http.GetAsync("api/subscriptions", Cancellation);
            Assert.Equal(status, response.StatusCode);
        }
    }

    private async Task<HttpStatusCode> PublishAsync(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/messages")
        {
            Content = JsonContent.Create(new { messageId = Guid.NewGuid(), recipientIds = new[] { "ada" }, title = "t" }),
        };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var response = await _http.SendAsync(request, Cancellation);
        return response.StatusCode;
    }

    private async Task<HttpStatusCode> GetAsync(string? token, string path = "api/subscriptions")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        using var response = await _http.SendAsync(request, Cancellation);
        return response.StatusCode;
    }

    private static SigningCredentials Credentials(string key, string algorithm) => new(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(key)), algorithm);
}
