using System.Net;
using System.Text.Json.Nodes;

namespace Notify.Tests.LocalPushService;

public sealed class VapidVerifierTests : LocalPushTest
{
    [Fact]
    public async Task A_push_message_without_authorization_is_refused_with_a_challenge()
    {
        HttpRequestMessage request = ApplicationServer.Push(Subscription);
        request.Headers.Remove("Authorization");
        using HttpResponseMessage response = await ApplicationServer.SendAsync(request);
        Assert.Equal("vapid", Assert.Single(response.Headers.WwwAuthenticate).Scheme);
        await AssertAuthorizationRefusedAsync(null, HttpStatusCode.Unauthorized, "MissingAuthorization");
    }

    [Theory]
    [InlineData("Bearer {t}")]
    [InlineData("WebPush {t}")]
    [InlineData("vapid t={t}")]
    [InlineData("vapid k={k}")]
    [InlineData("vapid t={t}, k={k}, k={k}")]
    [InlineData("vapid t={t}, k={k}, x=1")]
    [InlineData("vapid t={t}, k={k}=")]
    [InlineData("vapid t={t}, k=AAAA")]
    [InlineData("vapid t={t} k={k}")]
    public async Task An_authorization_that_is_not_a_token_and_a_key_is_refused(string form) =>
        await AssertAuthorizationRefusedAsync(
            form.Replace("{t}", ApplicationServer.Sign(ApplicationServer.Header, ApplicationServer.Claims()), StringComparison.Ordinal)
                .Replace("{k}", ApplicationServer.PublicKey, StringComparison.Ordinal),
            HttpStatusCode.Unauthorized,
            "BadAuthorization");

    [Theory]
    [InlineData("")]
    [InlineData("a.b")]
    [InlineData("e30.e30.####")]
    [InlineData("AAAA.AAAA.AAAA")]
    [InlineData("W10.W10.AAAA")]
    public async Task A_token_that_is_not_a_JWT_is_refused(string token) =>
        await AssertAuthorizationRefusedAsync($"vapid t={token}, k={ApplicationServer.PublicKey}", HttpStatusCode.Unauthorized, "BadJwtToken");

    [Theory]
    [InlineData("typ", "JOSE")]
    [InlineData("typ", null)]
    [InlineData("alg", "none")]
    [InlineData("alg", "HS256")]
    public async Task A_token_with_another_type_or_algorithm_is_refused(string name, string? value)
    {
        ApplicationServer.Header[name] = value;
        string authorization = ApplicationServer.Authorization();
        ApplicationServer.Header["typ"] = "JWT";
        ApplicationServer.Header["alg"] = "ES256";
        await AssertAuthorizationRefusedAsync(authorization, HttpStatusCode.Forbidden, "BadJwtToken");
    }

    [Fact]
    public async Task A_token_whose_signature_another_key_made_is_refused()
    {
        using var other = new ApplicationServer(PushService, Time);
        string token = other.Sign(other.Header, other.Claims());
        await AssertAuthorizationRefusedAsync($"vapid t={token}, k={ApplicationServer.PublicKey}", HttpStatusCode.Forbidden, "BadJwtToken");
    }

    [Fact]
    public async Task A_token_by_another_key_than_the_subscription_was_made_with_is_refused()
    {
        using var other = new ApplicationServer(PushService, Time);
        await AssertAuthorizationRefusedAsync(other.Authorization(), HttpStatusCode.Forbidden, "VapidPkHashMismatch");
    }

    [Fact]
    public async Task A_subscription_made_without_a_key_takes_any_key()
    {
        var subscription = await UserAgent.SubscribeAsync(null, Ct);
        using var other = new ApplicationServer(PushService, Time);
        using HttpResponseMessage first = await ApplicationServer.SendAsync(subscription, "one");
        using HttpResponseMessage second = await other.SendAsync(subscription, "two");
        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.Created), (first.StatusCode, second.StatusCode));
    }

    [Theory]
    [InlineData("{0}/")]
    [InlineData("{0}/push")]
    [InlineData("https://example.com")]
    [InlineData("http://127.0.0.1")]
    [InlineData(null)]
    public async Task A_token_for_another_audience_is_refused(string? audience)
    {
        string origin = PushService.Url.GetLeftPart(UriPartial.Authority);
        await AssertClaimRefusedAsync("aud", audience?.Replace("{0}", origin, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_for_a_list_of_audiences_is_refused() =>
        await AssertClaimRefusedAsync("aud", new JsonArray(PushService.Url.GetLeftPart(UriPartial.Authority)));

    [Fact]
    public async Task A_token_that_expires_now_is_refused() =>
        await AssertClaimRefusedAsync("exp", Time.GetUtcNow().ToUnixTimeSeconds(), "ExpiredJwtToken");

    [Fact]
    public async Task A_token_that_expires_a_second_after_24_hours_is_refused() =>
        await AssertClaimRefusedAsync("exp", Time.GetUtcNow().AddHours(24).ToUnixTimeSeconds() + 1);

    [Theory]
    [InlineData("tomorrow")]
    [InlineData(null)]
    public async Task A_token_whose_expiry_is_not_a_number_is_refused(string? expiry) => await AssertClaimRefusedAsync("exp", expiry);

    [Theory]
    [InlineData(null)]
    [InlineData("push@example.com")]
    [InlineData("http://example.com")]
    [InlineData("mailto:")]
    [InlineData("mailto:example.com")]
    [InlineData("mailto:push@localhost")]
    [InlineData("mailto:push@machine.local")]
    [InlineData("mailto:push@ example.com")]
    [InlineData("mailto:<push@example.com>")]
    [InlineData("https://localhost/contact")]
    [InlineData("https://machine.local")]
    public async Task A_token_with_a_subject_that_a_vendor_refuses_is_refused(string? subject) => await AssertClaimRefusedAsync("sub", subject);

    [Theory]
    [InlineData("https://example.com/contact")]
    [InlineData("https://local.example.com")]
    [InlineData("mailto:localhost@example.com")]
    public async Task A_token_with_a_subject_that_can_be_reached_passes(string subject)
    {
        JsonObject claims = ApplicationServer.Claims();
        claims["sub"] = subject;
        using HttpResponseMessage response = await ApplicationServer.SendAsync(With(ApplicationServer.Authorization(claims)));
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
    }

    [Theory]
    [InlineData("aud")]
    [InlineData("sub")]
    [InlineData("half")]
    public async Task A_token_with_half_a_surrogate_pair_for_a_text_or_a_name_is_refused(string name)
    {
        JsonObject claims = ApplicationServer.Claims();
        claims[name] = "half";
        string token = ApplicationServer.Sign(ApplicationServer.Header.ToJsonString(), claims.ToJsonString().Replace("half", "\\ud800", StringComparison.Ordinal));
        await AssertAuthorizationRefusedAsync($"vapid t={token}, k={ApplicationServer.PublicKey}", HttpStatusCode.Unauthorized, "BadJwtToken");
    }

    [Fact]
    public async Task A_token_is_taken_again_until_it_expires()
    {
        JsonObject claims = ApplicationServer.Claims();
        claims["exp"] = Time.GetUtcNow().AddHours(24).ToUnixTimeSeconds();
        string authorization = ApplicationServer.Authorization(claims);
        Time.Advance(TimeSpan.FromHours(23));
        using HttpResponseMessage first = await ApplicationServer.SendAsync(With(authorization));
        using HttpResponseMessage again = await ApplicationServer.SendAsync(With(authorization));
        Time.Advance(TimeSpan.FromHours(1));
        using HttpResponseMessage late = await ApplicationServer.SendAsync(With(authorization));
        Assert.Equal(
            [HttpStatusCode.Created, HttpStatusCode.Created, HttpStatusCode.Forbidden],
            [first.StatusCode, again.StatusCode, late.StatusCode]);
    }

    private async Task AssertClaimRefusedAsync(string name, JsonNode? value, string reason = "BadJwtToken")
    {
        JsonObject claims = ApplicationServer.Claims();
        claims.Remove(name);
        if (value is not null)
        {
            claims[name] = value;
        }

        await AssertAuthorizationRefusedAsync(ApplicationServer.Authorization(claims), HttpStatusCode.Forbidden, reason);
    }

    private async Task AssertAuthorizationRefusedAsync(string? authorization, HttpStatusCode status, string reason) =>
        await AssertRefusedAsync(With(authorization), status, reason);

    private HttpRequestMessage With(string? authorization)
    {
        HttpRequestMessage request = ApplicationServer.Push(Subscription);
        request.Headers.Remove("Authorization");
        if (authorization is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        }

        return request;
    }
}
