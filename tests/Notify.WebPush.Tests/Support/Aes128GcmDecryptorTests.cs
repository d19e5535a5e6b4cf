using System.Buffers.Text;
using System.Text;
using Org.BouncyCastle.Crypto;

namespace Notify.WebPush.Tests.Support;

public class Aes128GcmDecryptorTests
{
    [Fact]
    public void It_reads_the_example_of_RFC_8188_section_3_1()
    {
        var body = Base64Url.DecodeFromChars("I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg");

        var content = Aes128GcmDecryptor.Decrypt(body, _ => Base64Url.DecodeFromChars("yqdlZ-tYemfogSmv7Ws5PQ"));

        Assert.Equal("I am the walrus", Encoding.UTF8.GetString(content));
    }

    [Fact]
    public void It_reads_the_two_padded_records_of_RFC_8188_section_3_2()
    {
        var body = Base64Url.DecodeFromChars("uNCkWiNYzKTnBN9ji3-qWAAAABkCYTHOG8chz_gnvgOqdGYovxyjuqRyJFjEDyoF1Fvkj6hQPdPHI51OEUKEpgz3SsLWIqS_uA");
        var keyIds = new List<string>();

        var content = Aes128GcmDecryptor.Decrypt(body, keyId =>
        {
            keyIds.Add(Encoding.UTF8.GetString(keyId));
            return Base64Url.DecodeFromChars("BO3ZVPxUlnLORbVGMpbT1Q");
        });

        Assert.Equal("I am the walrus", Encoding.UTF8.GetString(content));
        Assert.Equal(["a1"], keyIds);
    }

    [Fact]
    public void It_reads_the_message_of_RFC_8291_section_5() =>
        Assert.Equal(Rfc8291.Plaintext, Encoding.UTF8.GetString(Rfc8291.UserAgent.Decrypt(Rfc8291.Decode(Rfc8291.Body))));

    [Fact]
    public void It_refuses_another_auth_secret()
    {
        var other = new UserAgent(Rfc8291.Decode(Rfc8291.UaPrivate), new byte[16]);

        Assert.Throws<InvalidCipherTextException>(() => other.Decrypt(Rfc8291.Decode(Rfc8291.Body)));
    }
}
