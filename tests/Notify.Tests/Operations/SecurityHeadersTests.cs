using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notify.Store;

namespace Notify.Tests.Operations;

public sealed class SecurityHeadersTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_answer_carries_them_errors_included()
    {
        await using var service = await NotifyService.StartAsync("--Notify:RateLimits:PerAddress=2");
        using var ada = service.ClientOf("ada");
        using var nobody = new HttpClient { BaseAddress = service.Url };
        await using (var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation))
        {
            await db.Database.ExecuteSqlRawAsync("DROP TABLE \"Deliveries\"", Cancellation);
        }

        await AssertAsync(ada, "", HttpStatusCode.OK, "no-cache");
        await AssertAsync(ada, "notify.js", HttpStatusCode.OK, "no-cache");
        await AssertAsync(ada, "api/subscriptions", HttpStatusCode.OK, "no-store");
        await AssertAsync(ada, "nowhere", HttpStatusCode.NotFound, "no-store");
        await AssertAsync(ada, "health/live", HttpStatusCode.OK, "no-store");
        await AssertAsync(ada, $"api/messages/{Guid.NewGuid()}/deliveries", HttpStatusCode.InternalServerError, "no-store");
        await AssertAsync(nobody, "api/vapid-public-key", HttpStatusCode.OK, "no-store");
        await AssertAsync(nobody, "api/subscriptions", HttpStatusCode.Unauthorized, "no-store");
        await AssertAsync(nobody, "api/subscriptions", HttpStatusCode.TooManyRequests, "no-store");
    }

    private static async Task AssertAsync(HttpClient http, string path, HttpStatusCode status, string cache)
    {
        using var response = await http.GetAsync(path, Cancellation);
        Assert.Equal(status, response.StatusCode);
        Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("no-referrer", Assert.Single(response.Headers.GetValues("Referrer-Policy")));
        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.All(["default-src 'self'", "object-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"], part => Assert.Contains(part, policy, StringComparison.Ordinal));
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.Contains(cache, response.Headers.CacheControl!.ToString(), StringComparison.Ordinal);
        Assert.False(response.Headers.Contains("Server"));
    }
}
