using FsCheck.Xunit;

namespace Notify.WebPush.Tests;

public class ReasonTextTests
{
    private const string Token = "gAAAAABl-8u_QmZr";

    private static readonly Uri Endpoint = new($"https://push.example.net/wpush/v2/{Token}?token=BQYAAAC%2bV8xyzq%3d");

    [Theory]
    [InlineData("BadJwtToken", "BadJwtToken")]
    [InlineData("  too \r\n\t many\0\u001b[31m spaces ", "too many [31m spaces")]
    [InlineData("push.example.net says no", "push.example.net says no")]
    [InlineData("right\u202eleft\u2028line", "right left line")]
    [InlineData("naïve 推送 🙂", "naïve 推送 🙂")]
    [InlineData("", null)]
    [InlineData(" \r\n\0", null)]
    public void Words_stay_and_what_is_not_printable_goes(string text, string? expected) => Assert.Equal(expected, ReasonText.Clean(text, Endpoint));

    [Theory]
    [InlineData($"no {Token} here")]
    [InlineData($"no https://push.example.net/wpush/v2/{Token}?token=BQYAAAC%2bV8xyzq%3d here")]
    [InlineData($"no prefix-{Token}-suffix here")]
    [InlineData("no GAAAAABL-8U_ here")]
    [InlineData("no BQYAAAC+V8xyzq= here")]
    [InlineData("no AAABl-8u here")]
    public void What_the_endpoint_has_in_common_with_a_word_gives_the_word_away(string text) =>
        Assert.Equal("no [redacted] here", ReasonText.Clean(text, Endpoint));

    [Theory]
    [InlineData("/secret1", "no /secret1 here")]
    [InlineData("/s3", "no http://push.example.net/s3 here")]
    public void A_short_path_is_known_as_a_whole(string path, string text) =>
        Assert.Equal("no [redacted] here", ReasonText.Clean(text, new Uri("http://push.example.net" + path)));

    [Fact]
    public void Our_own_token_is_not_repeated()
    {
        using var keys = VapidKeyPair.Generate();
        var authorization = new VapidTokens("mailto:push@example.com", TimeProvider.System).GetAuthorization(Endpoint, keys);

        Assert.Equal("bad: vapid [redacted], [redacted]", ReasonText.Clean("bad: " + authorization, Endpoint));
    }

    [Fact]
    public void It_is_at_most_200_characters()
    {
        Assert.Equal(200, ReasonText.Clean(string.Concat(Enumerable.Repeat("no-", 1000)).Replace("-no", " no", StringComparison.Ordinal), Endpoint)!.Length);
        Assert.Equal(199, ReasonText.Clean("x" + string.Concat(Enumerable.Repeat("🙂", 200)), Endpoint)!.Length);
    }

    [Property(MaxTest = 300)]
    public void Any_text_is_made_printable_and_short_without_the_token(string? before, string? after)
    {
        var reason = ReasonText.Clean(before + Token + after, Endpoint) ?? "";

        Assert.DoesNotContain(Token, reason, StringComparison.OrdinalIgnoreCase);
        Assert.True(reason.Length <= ReasonText.MaxLength);
        Assert.DoesNotContain(reason, char.IsControl);
    }
}
