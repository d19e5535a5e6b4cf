using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using FsCheck.Xunit;
using Notify.WebPush.Tests.Support;
using Org.BouncyCastle.Crypto;

namespace Notify.WebPush.Tests;

public class ContentEncryptionTests
{
    [Theory]
    [MemberData(nameof(PrimitivesTests.Ways), MemberType = typeof(PrimitivesTests))]
    public void The_message_of_RFC_8291_section_5_comes_out_byte_for_byte(string way)
    {
        var subscription = Rfc8291.UserAgent.Subscribe();
        Assert.Equal(Rfc8291.UaPublic, subscription.P256dh);
        var plaintext = Encoding.UTF8.GetBytes(Rfc8291.Plaintext);
        var body = new byte[ContentEncryption.GetEncryptedLength(plaintext.Length)];

        var length = ContentEncryption.Encrypt(subscription, plaintext, body, Rfc8291.Decode(Rfc8291.Salt), PrimitivesTests.Of(way), Rfc8291.Decode(Rfc8291.AsPrivate));

        Assert.Equal(body.Length, length);
        Assert.Equal(Rfc8291.Body, Base64Url.EncodeToString(body));
    }

    [Property(MaxTest = 200)]
    public void Any_content_for_any_keys_is_read_back_by_the_independent_decryptor(byte[] seed, ushort size)
    {
        var content = new byte[size % (PushMessage.MaxContentLength + 1)];
        for (var i = 0; i < content.Length; i++)
        {
            content[i] = seed.Length == 0 ? (byte)0 : seed[i % seed.Length];
        }

        var userAgent = new UserAgent();

        Assert.Equal(content, userAgent.Decrypt(Encrypt(userAgent.Subscribe(), content)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3992)]
    [InlineData(PushMessage.MaxContentLength)]
    public void Every_length_up_to_the_greatest_is_one_record_of_the_length_told_before(int length)
    {
        var userAgent = new UserAgent();
        var content = RandomNumberGenerator.GetBytes(length);

        var body = Encrypt(userAgent.Subscribe(), content);

        Assert.Equal(length + 103, body.Length);
        Assert.True(body.Length <= 4096);
        Assert.Equal(content, userAgent.Decrypt(body));
    }

    [Fact]
    public void A_flipped_bit_anywhere_makes_the_body_unreadable()
    {
        var userAgent = new UserAgent();
        var body = Encrypt(userAgent.Subscribe(), "x"u8);
        for (var bit = 0; bit < body.Length * 8; bit++)
        {
            var damaged = (byte[])body.Clone();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));

            // rs alone is not authenticated: one that still holds the record changes nothing.
            if (bit / 8 is >= 16 and < 20)
            {
                continue;
            }

            Assert.ThrowsAny<Exception>(() => userAgent.Decrypt(damaged));
            if (bit / 8 >= 86)
            {
                Assert.Throws<InvalidCipherTextException>(() => userAgent.Decrypt(damaged));
            }
        }
    }

    [Fact]
    public void Another_user_agent_cannot_read_it() =>
        Assert.Throws<InvalidCipherTextException>(() => new UserAgent().Decrypt(Encrypt(new UserAgent().Subscribe(), "x"u8)));

    [Fact]
    public void No_two_messages_share_salt_or_key()
    {
        var subscription = new UserAgent().Subscribe();
        var bodies = Enumerable.Range(0, 500).Select(_ => Encrypt(subscription, "the same"u8)).ToList();

        Assert.Equal(500, bodies.DistinctBy(b => Convert.ToHexString(b, 0, 16)).Count());
        Assert.Equal(500, bodies.DistinctBy(b => Convert.ToHexString(b, 21, 65)).Count());
    }

    [Fact]
    public async Task One_subscription_serves_many_threads()
    {
        var userAgent = new UserAgent();
        var subscription = userAgent.Subscribe();

        var contents = await Task.WhenAll(Enumerable.Range(0, 200).Select(i =>
            Task.Run(() => userAgent.Decrypt(Encrypt(subscription, BitConverter.GetBytes(i))))));

        Assert.Equal(Enumerable.Range(0, 200), contents.Select(c => BitConverter.ToInt32(c)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    [InlineData(86)]
    [InlineData(100)]
    public void Content_may_lie_in_the_destination(int offset)
    {
        var userAgent = new UserAgent();
        var content = RandomNumberGenerator.GetBytes(300);
        var buffer = new byte[1000];
        content.CopyTo(buffer, offset);

        var length = ContentEncryption.Encrypt(userAgent.Subscribe(), buffer.AsSpan(offset, content.Length), buffer);

        Assert.Equal(content, userAgent.Decrypt(buffer[..length]));
    }

    [Fact]
    public void Nothing_is_written_past_the_length_returned()
    {
        var buffer = Enumerable.Repeat((byte)0xAA, 500).ToArray();

        var length = ContentEncryption.Encrypt(new UserAgent().Subscribe(), "x"u8, buffer);

        Assert.All(buffer[length..], b => Assert.Equal(0xAA, b));
    }

    [Fact]
    public void A_destination_too_short_is_refused_and_left_alone()
    {
        var destination = new byte[103];

        Assert.Throws<ArgumentException>(() => ContentEncryption.Encrypt(new UserAgent().Subscribe(), "x"u8, destination));
        Assert.Equal(new byte[103], destination);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(PushMessage.MaxContentLength + 1)]
    [InlineData(int.MaxValue)]
    public void A_length_out_of_bounds_is_refused(int length) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ContentEncryption.GetEncryptedLength(length));

    [Fact]
    public void Content_too_long_is_refused() =>
        Assert.ThrowsAny<ArgumentException>(() =>
            ContentEncryption.Encrypt(new UserAgent().Subscribe(), new byte[PushMessage.MaxContentLength + 1], new byte[9000]));

    private static byte[] Encrypt(PushSubscription subscription, ReadOnlySpan<byte> content)
    {
        var body = new byte[ContentEncryption.GetEncryptedLength(content.Length)];
        Assert.Equal(body.Length, ContentEncryption.Encrypt(subscription, content, body));
        return body;
    }
}
