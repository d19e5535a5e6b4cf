using System.Net;
using System.Text;
using System.Text.Json;

namespace Notify.Tests.Operations;

public sealed class ProblemsTests
{
    [Theory]
    [InlineData("GET", "api/subscriptions", HttpStatusCode.Unauthorized, "unauthenticated")]
    [InlineData("GET", "nowhere", HttpStatusCode.NotFound, "not_found")]
    [InlineData("PATCH", "api/subscriptions", HttpStatusCode.MethodNotAllowed, "method_not_allowed")]
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
        Assert.Equal(["GetVapidPublicKey", "PostReceipt"], operations.Where(operation => !operation.Value.TryGetProperty("security", out _)).Select(operation => operation.Key).Order(StringComparer.Ordinal));
        Assert.True(operations["ListSubscriptions"].GetProperty("responses").TryGetProperty("401", out _));
    }
}
