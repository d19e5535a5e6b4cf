using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notify.Store;
using Notify.Tests.Store;

namespace Notify.Tests.Operations;

public sealed class ProblemsTests
{
    [Theory]
    [InlineData("GET", "api/subscriptions", HttpStatusCode.Unauthorized, "unauthenticated")]
    [InlineData("GET", "nowhere", HttpStatusCode.NotFound, "not_found")]
    [InlineData("PATCH", "api/subscriptions", HttpStatusCode.MethodNotAllowed, "method_not_allowed")]
    [InlineData("PUT", "health/live", HttpStatusCode.MethodNotAllowed, "method_not_allowed")]
    [InlineData("POST", "api/receipts", HttpStatusCode.UnsupportedMediaType, "unsupported_media_type")]
    public async Task An_error_that_no_route_speaks_of_says_what_to_do(string method, string path, HttpStatusCode status, string code)
    {
        await using var service = await NotifyService.StartAsync();
        using var http = new HttpClient { BaseAddress = service.Url };
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = method == "POST" ? new StringContent("text", Encoding.UTF8, "text/plain") : null };

        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);

        var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
        Assert.Equal((status, "application/problem+json", code), (response.StatusCode, response.Content.Headers.ContentType!.MediaType, problem.GetProperty("code").GetString()));
        Assert.NotEmpty(problem.GetProperty("detail").GetString()!);
    }

    [Theory]
    [InlineData("text/html")]
    [InlineData("text/plain")]
    [InlineData("application/xml")]
    [InlineData("text/event-stream")]
    [InlineData("nonsense")]
    public async Task An_error_is_the_same_problem_whatever_the_request_accepts(string accept)
    {
        await using var service = await NotifyService.StartAsync();
        using var ada = service.ClientOf("ada");
        using var nobody = new HttpClient { BaseAddress = service.Url };
        await using (var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(TestContext.Current.CancellationToken))
        {
            await db.Database.ExecuteSqlRawAsync("DROP TABLE \"Deliveries\"", TestContext.Current.CancellationToken);
        }

        await AssertSameAsync(nobody, "GET", "api/dashboard/live", 401, "unauthenticated");
        await AssertSameAsync(ada, "GET", "nowhere", 404, "not_found");
        await AssertSameAsync(ada, "PATCH", "api/subscriptions", 405, "method_not_allowed");
        await AssertSameAsync(ada, "POST", "api/receipts", 415, "unsupported_media_type");
        await AssertSameAsync(ada, "DELETE", $"api/subscriptions/{Guid.NewGuid()}", 404, "not_found");
        await AssertSameAsync(ada, "GET", $"api/messages/{Guid.NewGuid()}/deliveries", 500, "internal_error");

        async Task AssertSameAsync(HttpClient http, string method, string path, int status, string code)
        {
            var problem = await ProblemAsync(http, method, path, accept);
            Assert.Equal((status, code), ((int)problem["status"]!, (string)problem["code"]!));
            Assert.True(problem.Remove("traceId"));
            var json = await ProblemAsync(http, method, path, "application/json");
            json.Remove("traceId");
            Assert.Equal(json.ToJsonString(), problem.ToJsonString());
        }
    }

    [Fact]
    public async Task A_database_that_is_away_is_no_fault_of_ours_and_worth_another_try()
    {
        var failing = new FailingCommands("\"Deliveries\"", code: 14);
        await using var service = await NotifyService.StartAsync(null, builder => builder.Services.ConfigureDbContext<SqliteNotifyDbContext>(options => options.AddInterceptors(failing)));
        using var ada = service.ClientOf("ada");
        failing.FailNext(2);

        using (await ada.GetAsync(new Uri($"api/messages/{Guid.NewGuid()}/deliveries", UriKind.Relative), TestContext.Current.CancellationToken))
        {
        }

        using var response = await ada.GetAsync(new Uri($"api/messages/{Guid.NewGuid()}/deliveries", UriKind.Relative), TestContext.Current.CancellationToken);

        var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "5", "unavailable"), (response.StatusCode, response.Headers.GetValues("Retry-After").Single(), problem.GetProperty("code").GetString()));
        Assert.DoesNotContain(service.Logs.Lines, line => line.Contains("unhandled exception", StringComparison.Ordinal));
        Assert.Single(service.Logs.Lines, line => line.Contains("A request is answered 503", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_fault_of_ours_is_logged_with_its_exception()
    {
        var failing = new FailingCommands("\"Deliveries\"", code: 1);
        await using var service = await NotifyService.StartAsync(null, builder => builder.Services.ConfigureDbContext<SqliteNotifyDbContext>(options => options.AddInterceptors(failing)));
        using var ada = service.ClientOf("ada");
        failing.FailNext();

        using var response = await ada.GetAsync(new Uri($"api/messages/{Guid.NewGuid()}/deliveries", UriKind.Relative), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.Contains(service.Logs.Lines, line => line.Contains("unhandled exception", StringComparison.Ordinal) && line.Contains("as the test asked", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_error_to_HEAD_has_no_body_whatever_the_request_accepts()
    {
        await using var service = await NotifyService.StartAsync();
        using var http = new HttpClient { BaseAddress = service.Url };
        using var request = new HttpRequestMessage(HttpMethod.Head, "nowhere");
        request.Headers.TryAddWithoutValidation("Accept", "text/html");

        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);

        Assert.Equal((HttpStatusCode.NotFound, ""), (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task The_description_of_the_API_says_what_any_route_may_answer()
    {
        await using var service = await NotifyService.StartAsync();
        using var http = new HttpClient { BaseAddress = service.Url };

        var document = JsonDocument.Parse(await http.GetStringAsync("openapi/v1.json", TestContext.Current.CancellationToken)).RootElement;

        Assert.Equal("http", document.GetProperty("components").GetProperty("securitySchemes").GetProperty("bearer").GetProperty("type").GetString());
        Assert.StartsWith("0.", document.GetProperty("info").GetProperty("version").GetString(), StringComparison.Ordinal);
        var operations = document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()).ToDictionary(operation => operation.Value.GetProperty("operationId").GetString()!, operation => operation.Value);
        Assert.All(operations.Values, operation => Assert.True(operation.GetProperty("responses").TryGetProperty("429", out _)));
        Assert.All(operations.Values, operation => Assert.True(operation.GetProperty("responses").TryGetProperty("503", out _)));
        Assert.Equal(["GetVapidPublicKey", "PostReceipt"], operations.Where(operation => !operation.Value.TryGetProperty("security", out _)).Select(operation => operation.Key).Order(StringComparer.Ordinal));
        Assert.True(operations["ListSubscriptions"].GetProperty("responses").TryGetProperty("401", out _));
    }

    [Fact]
    public async Task The_description_of_the_API_is_true_of_bodies_and_errors()
    {
        await using var service = await NotifyService.StartAsync();
        using var http = new HttpClient { BaseAddress = service.Url };

        var text = await http.GetStringAsync("openapi/v1.json", TestContext.Current.CancellationToken);

        var document = JsonNode.Parse(text)!;
        var schemas = document["components"]!["schemas"]!;
        Assert.Equal(["messageId", "recipientIds", "title"], Names(schemas["MessagePosted"]!["required"]));
        Assert.Equal(["endpoint", "keys"], Names(schemas["PushSubscriptionJson"]!["required"]));
        Assert.Equal(["token", "event"], Names(schemas["ReceiptJson"]!["required"]));
        Assert.Equal(["code"], Names(schemas["ProblemDetails"]!["required"]));
        Assert.Equal(["null", "integer"], Names(schemas["MessagePosted"]!["properties"]!["ttlSeconds"]!["type"]));
        Assert.Equal(["null", "number"], Names(schemas["PushSubscriptionJson"]!["properties"]!["expirationTime"]!["type"]));
        Assert.DoesNotContain("MessagePosted.", text, StringComparison.Ordinal);
        Assert.True(document["paths"]!["/api/subscriptions"]!["delete"]!["parameters"]![0]!["required"]!.GetValue<bool>());
        Assert.All(new[] { "/api/subscriptions", "/api/messages", "/api/receipts" }, path => Assert.NotNull(document["paths"]![path]!["post"]!["responses"]!["415"]));

        static IEnumerable<string> Names(JsonNode? list) => list!.AsArray().Select(name => name!.GetValue<string>());
    }

    private static async Task<JsonObject> ProblemAsync(HttpClient http, string method, string path, string accept)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = method == "POST" ? new StringContent("text", Encoding.UTF8, "text/plain") : null };
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.Content.Headers.ContentType?.MediaType == "application/problem+json", $"{method} {path}: {(int)response.StatusCode} {response.Content.Headers.ContentType} {text}");
        return JsonNode.Parse(text)!.AsObject();
    }
}
