using System.Net;
using Notify.LocalPushService;

namespace Notify.Tests.LocalPushService;

public sealed class PushHeadersTests : LocalPushTest
{
    [Fact]
    public async Task A_push_message_without_a_TTL_is_refused()
    {
        HttpRequestMessage request = ApplicationServer.Push(Subscription);
        request.Headers.Remove("TTL");
        await AssertRefusedAsync(request, HttpStatusCode.BadRequest, "BadTtl");
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1.5")]
    [InlineData("soon")]
    [InlineData("")]
    [InlineData("2592001")]
    [InlineData("99999999999999")]
    [InlineData("1, 2")]
    public async Task A_TTL_that_is_not_digits_up_to_30_days_is_refused(string ttl) =>
        await AssertRefusedAsync(With("TTL", ttl), HttpStatusCode.BadRequest, "BadTtl");

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("abcde")]
    [InlineData("with space!")]
    [InlineData("pad=")]
    [InlineData("0123456789012345678901234567890123")]
    public async Task A_topic_that_is_not_base64url_of_at_most_32_characters_is_refused(string topic) =>
        await AssertRefusedAsync(With("Topic", topic), HttpStatusCode.BadRequest, "BadWebPushTopic");

    [Theory]
    [InlineData("")]
    [InlineData("urgent")]
    [InlineData("High")]
    public async Task An_urgency_that_is_not_one_of_the_four_is_refused(string urgency) =>
        await AssertRefusedAsync(With("Urgency", urgency), HttpStatusCode.BadRequest, "BadUrgency");

    [Theory]
    [InlineData("aesgcm")]
    [InlineData("gzip, aes128gcm")]
    [InlineData(null)]
    public async Task A_body_with_another_content_encoding_is_refused(string? encoding)
    {
        HttpRequestMessage request = ApplicationServer.Push(Subscription);
        request.Content!.Headers.Remove("Content-Encoding");
        if (encoding is not null)
        {
            request.Content.Headers.TryAddWithoutValidation("Content-Encoding", encoding);
        }

        await AssertRefusedAsync(request, HttpStatusCode.BadRequest, "BadContentEncoding");
    }

    [Theory]
    [InlineData("Encryption", "salt=AAAA")]
    [InlineData("Crypto-Key", "dh=AAAA")]
    public async Task The_headers_of_the_older_encoding_are_refused(string name, string value) =>
        await AssertRefusedAsync(With(name, value), HttpStatusCode.BadRequest, "BadCryptoHeaders");

    [Theory]
    [InlineData("TTL", "0")]
    [InlineData("TTL", "2592000")]
    [InlineData("Topic", "ab")]
    [InlineData("Topic", "0123456789_-ABCDEFGHIJKLMNOPQRST")]
    [InlineData("Urgency", "very-low")]
    [InlineData("Urgency", "low")]
    [InlineData("Urgency", "normal")]
    [InlineData("Urgency", "high")]
    public async Task A_header_within_its_bounds_passes(string name, string value)
    {
        using HttpResponseMessage response = await ApplicationServer.SendAsync(With(name, value));
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        ReceivedPush push = await UserAgent.Received.ReadAsync(Ct);
        Assert.Equal(name == "Topic" ? value : null, push.Topic);
    }

    private HttpRequestMessage With(string name, string value)
    {
        HttpRequestMessage request = ApplicationServer.Push(Subscription);
        request.Headers.Remove(name);
        request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }
}
