using System.Net;
using System.Text;
using Notify.LocalPushService;

namespace Notify.Tests.LocalPushService;

public sealed class FaultsApiTests : LocalPushTest
{
    private Uri Faults => new(PushService.Url, "/faults");

    [Fact]
    public async Task A_fault_is_added_listed_and_strikes()
    {
        Assert.Equal(HttpStatusCode.NoContent, await PostAsync("""{"status":429,"retryAfter":"5","delay":0.25,"times":3,"probability":0.5}"""));
        Assert.Equal(
            new PushFault { Status = 429, RetryAfter = "5", Delay = TimeSpan.FromSeconds(0.25), Times = 3, Probability = 0.5 },
            Assert.Single(PushService.Faults.Active));
        string listed = await ApplicationServer.Http.GetStringAsync(Faults, Ct);
        Assert.Equal("""[{"status":429,"retryAfter":"5","delay":0.25,"reset":false,"gone":false,"times":3,"probability":0.5}]""", listed);
    }

    [Fact]
    public async Task A_fault_added_by_HTTP_strikes()
    {
        await PostAsync("""{"reset":true}""");
        await Assert.ThrowsAsync<HttpRequestException>(() => ApplicationServer.SendAsync(Subscription, "struck"));
    }

    [Fact]
    public async Task DELETE_removes_all()
    {
        await PostAsync("""{"status":500}""");
        using HttpResponseMessage response = await ApplicationServer.Http.DeleteAsync(Faults, Ct);
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal("[]", await ApplicationServer.Http.GetStringAsync(Faults, Ct));
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""null""")]
    [InlineData("""{"status":5000}""")]
    [InlineData("""{"status":500,"colour":"red"}""")]
    [InlineData("""{"delay":"00:00:01"}""")]
    [InlineData("""{"delay":1e300}""")]
    [InlineData("""{"status":""")]
    public async Task A_malformed_fault_is_refused(string json)
    {
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync(json));
        Assert.Empty(PushService.Faults.Active);
    }

    [Fact]
    public async Task Another_content_type_or_method_is_refused()
    {
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, await PostAsync("""{"status":500}""", "text/plain"));
        using HttpResponseMessage response = await ApplicationServer.Http.PutAsync(Faults, null, Ct);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
    }

    private async Task<HttpStatusCode> PostAsync(string json, string contentType = "application/json")
    {
        using var content = new StringContent(json, Encoding.UTF8, contentType);
        using HttpResponseMessage response = await ApplicationServer.Http.PostAsync(Faults, content, Ct);
        return response.StatusCode;
    }
}
