using System.Buffers.Text;
using System.Security.Cryptography;
using Notify.LocalPushService;
using Notify.WebPush;

namespace Notify.Tests.LocalPushService;

public sealed class MessageDecryptionTests
{
    private static readonly byte[] UaPublic = Base64Url.DecodeFromChars("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
    private static readonly byte[] AuthSecret = Base64Url.DecodeFromChars("BTBZMqHH6r4Tts7J_aSIgg");
    private static readonly ECDiffieHellman UaKey = ECDiffieHellman.Create(new ECParameters
    {
        Curve = ECCurve.NamedCurves.nistP256,
        Q = new ECPoint { X = UaPublic[1..33], Y = UaPublic[33..] },
        D = Base64Url.DecodeFromChars("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"),
    });

    private static readonly PushSubscription Subscription =
        PushSubscription.Create("https://push.example.net/push/1", Base64Url.EncodeToString(UaPublic), Base64Url.EncodeToString(AuthSecret));

    [Fact]
    public void The_example_of_RFC_8291_section_5_is_decrypted()
    {
        byte[] body = Base64Url.DecodeFromChars(
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN");
        Assert.Equal("When I grow up, I want to be a watermelon"u8, Decrypt(body));
    }

    [Fact]
    public void Content_of_every_length_is_read_back()
    {
        byte[] content = RandomNumberGenerator.GetBytes(PushMessage.MaxContentLength);
        for (int length = 0; length <= content.Length; length++)
        {
            Assert.True(Decrypt(Encrypt(content.AsSpan(0, length))).AsSpan().SequenceEqual(content.AsSpan(0, length)), $"{length} bytes");
        }
    }

    [Fact]
    public void A_body_cut_off_anywhere_is_refused()
    {
        byte[] body = Encrypt(RandomNumberGenerator.GetBytes(200));
        for (int length = 0; length < body.Length; length++)
        {
            Refuses(body[..length]);
        }
    }

    [Fact]
    public void A_body_with_another_byte_anywhere_but_in_the_record_size_is_refused()
    {
        byte[] body = Encrypt(RandomNumberGenerator.GetBytes(20));
        for (int index = 0; index < body.Length; index++)
        {
            // The record size is not authenticated; the next test has it.
            if (index is >= EncryptedBody.SaltLength and < EncryptedBody.KeyIdOffset - 1)
            {
                continue;
            }

            for (int change = 1; change < 256; change += 31)
            {
                byte[] other = [.. body];
                other[index] ^= (byte)change;
                Refuses(other);
            }
        }
    }

    [Fact]
    public void A_record_size_that_the_body_exceeds_is_refused()
    {
        byte[] body = Encrypt("hello"u8);
        for (int size = 0; size < 256; size++)
        {
            byte[] other = [.. body];
            other.AsSpan(EncryptedBody.SaltLength, 4).Clear();
            other[EncryptedBody.SaltLength + 3] = (byte)size;
            if (size < body.Length - EncryptedBody.HeaderLength)
            {
                Refuses(other);
            }
            else
            {
                Assert.Equal("hello"u8, Decrypt(other));
            }
        }
    }

    [Fact]
    public void A_body_with_bytes_after_it_is_refused()
    {
        byte[] body = Encrypt("hello"u8);
        Refuses([.. body, 0]);
        Refuses([.. body, .. body]);
    }

    private static byte[] Decrypt(byte[] body) => MessageDecryption.Decrypt(UaKey, UaPublic, AuthSecret, body);

    private static byte[] Encrypt(ReadOnlySpan<byte> content)
    {
        byte[] body = new byte[ContentEncryption.GetEncryptedLength(content.Length)];
        ContentEncryption.Encrypt(Subscription, content, body);
        return body;
    }

    private static void Refuses(byte[] body) => Assert.ThrowsAny<CryptographicException>(() => Decrypt(body));
}
