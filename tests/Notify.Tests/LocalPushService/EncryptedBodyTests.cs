using System.Net;

namespace Notify.Tests.LocalPushService;

public sealed class EncryptedBodyTests : LocalPushTest
{
    [Fact]
    public async Task A_body_of_102_bytes_is_refused() => await AssertBodyRefusedAsync(body => body[..102]);

    [Fact]
    public async Task A_record_size_below_18_is_refused() => await AssertBodyRefusedAsync(body => WithRecordSize(body, 17));

    [Fact]
    public async Task A_body_of_more_than_one_record_is_refused() =>
        await AssertBodyRefusedAsync(body => WithRecordSize(body, (byte)(body.Length - 86 - 1)));

    [Fact]
    public async Task A_keyid_of_another_length_is_refused() => await AssertBodyRefusedAsync(body => With(body, 20, 64));

    [Fact]
    public async Task A_keyid_in_another_form_is_refused() => await AssertBodyRefusedAsync(body => With(body, 21, 2));

    [Fact]
    public async Task A_keyid_off_the_curve_is_refused() => await AssertBodyRefusedAsync(body => With(body, 85, (byte)(body[85] ^ 1)));

    [Fact]
    public async Task A_body_whose_only_record_is_full_passes()
    {
        byte[] body = ApplicationServer.Encrypt(Subscription, new byte[40], recordSize: 40 + 1 + 16);
        using HttpResponseMessage response = await ApplicationServer.SendAsync(ApplicationServer.PushBytes(Subscription, body));
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(40, (await UserAgent.Received.ReadAsync(Ct)).Content.Length);
    }

    [Theory]
    [InlineData(0, 16)]
    [InlineData(21, 65)]
    public async Task A_salt_or_an_ephemeral_key_that_was_used_before_is_refused(int offset, int length)
    {
        byte[] first = ApplicationServer.Encrypt(Subscription, "first"u8);
        byte[] second = ApplicationServer.Encrypt(Subscription, "second"u8);
        first.AsSpan(offset, length).CopyTo(second.AsSpan(offset));

        using HttpResponseMessage accepted = await ApplicationServer.SendAsync(ApplicationServer.PushBytes(Subscription, first));
        Assert.Equal(HttpStatusCode.Created, accepted.StatusCode);
        using HttpResponseMessage refused = await ApplicationServer.SendAsync(ApplicationServer.PushBytes(Subscription, second));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("ReusedEncryption", await refused.Content.ReadAsStringAsync(Ct), StringComparison.Ordinal);
    }

    private async Task AssertBodyRefusedAsync(Func<byte[], byte[]> bend)
    {
        byte[] body = bend(ApplicationServer.Encrypt(Subscription, "hello, world"u8));
        await AssertRefusedAsync(ApplicationServer.PushBytes(Subscription, body), HttpStatusCode.BadRequest, "BadEncryption");
    }

    private static byte[] With(byte[] body, int index, byte value)
    {
        body[index] = value;
        return body;
    }

    private static byte[] WithRecordSize(byte[] body, byte size)
    {
        body.AsSpan(16, 4).Clear();
        return With(body, 19, size);
    }
}
