using FsCheck.Xunit;

namespace Notify.WebPush.Tests;

public class Base64UrlTextTests
{
    [Property]
    public void Both_alphabets_are_read_padded_or_not(byte[] bytes)
    {
        var padded = Convert.ToBase64String(bytes);
        var unpadded = padded.TrimEnd('=');

        Assert.All(
            [padded, unpadded, padded.Replace('+', '-').Replace('/', '_'), unpadded.Replace('+', '-').Replace('/', '_')],
            text => Assert.Equal(bytes, Base64UrlText.Decode(text)));
    }

    [Property]
    public void Any_text_gives_bytes_or_null_and_never_throws(string? text)
    {
        if (Base64UrlText.Decode(text ?? "") is { } bytes)
        {
            Assert.Equal((text ?? "").TrimEnd('=').Length * 6 / 8, bytes.Length);
        }
    }

    [Theory]
    [InlineData("A")]
    [InlineData("AAAAA")]
    [InlineData("AA=")]
    [InlineData("AAA==")]
    [InlineData("A===")]
    [InlineData("AAAA====")]
    [InlineData("=")]
    [InlineData("=AAA")]
    [InlineData("AA=A")]
    [InlineData(" AAAA")]
    [InlineData("AAAA\n")]
    [InlineData("AA AA")]
    [InlineData("AA.A")]
    [InlineData("ÄAAA")]
    [InlineData("AAAА")]
    [InlineData("AB")]
    [InlineData("AAB")]
    public void What_is_neither_is_refused(string text) => Assert.Null(Base64UrlText.Decode(text));
}
