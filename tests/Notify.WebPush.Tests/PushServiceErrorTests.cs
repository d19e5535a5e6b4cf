using System.Text;
using FsCheck.Xunit;

namespace Notify.WebPush.Tests;

public class PushServiceErrorTests
{
    private static readonly Uri Endpoint = new("https://push.example.net/p/secret-token");

    [Theory]
    [InlineData("", null, null)]
    [InlineData("""{"reason":"BadTtl"}""", "BadTtl", null)]
    [InlineData("""{"code":404,"errno":103,"error":"Not Found","message":"No such subscription","more_info":"http://x"}""", "errno 103: No such subscription", 103)]
    [InlineData("""{"errno":109}""", "errno 109", 109)]
    [InlineData("""{"errno":1e400,"error":"x"}""", "x", null)]
    [InlineData("""{"errno":"109","error":"x"}""", "x", null)]
    [InlineData("""{"error":{"message":"deep"}}""", "deep", null)]
    [InlineData("""{"other":1}""", """{"other":1}""", null)]
    [InlineData("""[1,2]""", "[1,2]", null)]
    [InlineData("""{"reason":"cut o""", """{"reason":"cut o""", null)]
    [InlineData("<html><body>no /p/secret-token</body></html>", "<html><body>no [redacted]</body></html>", null)]
    public void The_reason_is_what_the_vendors_call_it_or_the_text(string body, string? reason, int? errno) =>
        Assert.Equal(new PushServiceError(reason, errno), PushServiceError.Parse(Encoding.UTF8.GetBytes(body), Endpoint));

    [Fact]
    public void Half_a_surrogate_pair_does_no_harm() =>
        Assert.NotNull(PushServiceError.Parse("""{"reason":"\ud800"}"""u8.ToArray(), Endpoint).Reason);

    [Property]
    public void Any_bytes_give_an_error_without_the_endpoint(byte[] before, byte[] after)
    {
        var error = PushServiceError.Parse((byte[])[.. before, .. "secret-token"u8, .. after], Endpoint);

        Assert.DoesNotContain("secret-token", error.Reason ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public async Task At_most_1024_bytes_are_read()
    {
        using var stream = new CountingStream(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("no ", 5000))));
        using var content = new StreamContent(stream);

        var error = await PushServiceError.ReadAsync(content, Endpoint, TestContext.Current.CancellationToken);

        Assert.StartsWith("no no no", error.Reason, StringComparison.Ordinal);
        Assert.Equal(1024, stream.BytesRead);
    }

    private sealed class CountingStream(byte[] bytes) : MemoryStream(bytes)
    {
        internal int BytesRead { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await base.ReadAsync(buffer, cancellationToken);
            BytesRead += read;
            return read;
        }
    }
}
