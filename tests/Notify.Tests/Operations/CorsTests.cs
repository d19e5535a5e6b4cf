using Notify.Tests.Authentication;
using Notify.WebPush;

namespace Notify.Tests.Operations;

public sealed class CorsTests
{
    private const string Origin = "https://app.example.com";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Pages_of_a_named_origin_may_call_and_no_others()
    {
        await using var service = await NotifyService.StartAsync($"--Notify:Cors:AllowedOrigins:0={Origin}");

        var allowed = await PreflightAsync(service, Origin);
        Assert.Equal(Origin, Header(allowed, "Access-Control-Allow-Origin"));
        Assert.Contains("DELETE", Header(allowed, "Access-Control-Allow-Methods"), StringComparison.Ordinal);
        Assert.Contains("authorization", Header(allowed, "Access-Control-Allow-Headers"), StringComparison.Ordinal);
        Assert.Null(Header(allowed, "Access-Control-Allow-Credentials"));
        foreach (var origin in new[] { "https://app.example.com.evil.example", "https://evil.example", "http://app.example.com", "https://app.example.com:8443", "http://localhost:3000", "null" })
        {
            Assert.Null(Header(await PreflightAsync(service, origin), "Access-Control-Allow-Origin"));
        }
    }

    [Fact]
    public async Task An_answer_names_the_origin_and_shows_when_to_try_again()
    {
        await using var service = await NotifyService.StartAsync($"--Notify:Cors:AllowedOrigins:0={Origin}", "--Notify:RateLimits:PerAddress=1");
        for (var i = 0; i < 2; i++)
        {
            using var http = new HttpClient { BaseAddress = service.Url };
            http.DefaultRequestHeaders.Add("Origin", Origin);
            using var response = await http.GetAsync("api/vapid-public-key", Cancellation);
            Assert.Equal(i == 0 ? 200 : 429, (int)response.StatusCode);
            Assert.Equal(Origin, Header(response, "Access-Control-Allow-Origin"));
            Assert.Equal("Retry-After", Header(response, "Access-Control-Expose-Headers"));
        }
    }

    [Fact]
    public async Task Unless_told_otherwise_no_other_origin_may_and_in_development_those_of_this_machine()
    {
        using var pair = VapidKeyPair.Generate();
        await using var production = await NotifyService.StartAsync(ProductionService.Settings(pair));
        await using var development = await NotifyService.StartAsync();

        Assert.Null(Header(await PreflightAsync(production, "http://localhost:3000"), "Access-Control-Allow-Origin"));
        Assert.Null(Header(await PreflightAsync(production, Origin), "Access-Control-Allow-Origin"));
        Assert.Equal("http://localhost:3000", Header(await PreflightAsync(development, "http://localhost:3000"), "Access-Control-Allow-Origin"));
        Assert.Null(Header(await PreflightAsync(development, Origin), "Access-Control-Allow-Origin"));
        Assert.Null(Header(await PreflightAsync(development, "http://localhost.evil.example"), "Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task The_module_and_the_worker_may_be_imported_from_anywhere()
    {
        await using var service = await NotifyService.StartAsync($"--Notify:Cors:AllowedOrigins:0={Origin}");
        using var http = new HttpClient { BaseAddress = service.Url };
        http.DefaultRequestHeaders.Add("Origin", "https://elsewhere.example");
        foreach (var file in new[] { "notify.js", "service-worker.js" })
        {
            using var response = await http.GetAsync(file, Cancellation);
            Assert.Equal("*", Header(response, "Access-Control-Allow-Origin"));
        }
    }

    private static async Task<HttpResponseMessage> PreflightAsync(NotifyService service, string origin)
    {
        using var http = new HttpClient { BaseAddress = service.Url };
        using var request = new HttpRequestMessage(HttpMethod.Options, $"api/subscriptions/{Guid.NewGuid()}");
        request.Headers.Add("Origin", origin);
        request.Headers.Add("Access-Control-Request-Method", "DELETE");
        request.Headers.Add("Access-Control-Request-Headers", "authorization");
        return await http.SendAsync(request, Cancellation);
    }

    private static string? Header(HttpResponseMessage response, string name) => response.Headers.TryGetValues(name, out var values) ? string.Join(",", values) : null;
}
