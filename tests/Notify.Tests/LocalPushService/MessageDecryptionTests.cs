using System.Buffers.Text;
using System.Security.Cryptography;
using Notify.LocalPushService;

namespace Notify.Tests.LocalPushService;

public sealed class MessageDecryptionTests
{
    [Fact]
    public void The_example_of_RFC_8291_section_5_is_decrypted()
    {
        byte[] uaPublic = Base64Url.DecodeFromChars("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        using ECDiffieHellman uaKey = ECDiffieHellman.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = uaPublic[1..33], Y = uaPublic[33..] },
            D = Base64Url.DecodeFromChars("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"),
        });
        byte[] authSecret = Base64Url.DecodeFromChars("BTBZMqHH6r4Tts7J_aSIgg");
        byte[] body = Base64Url.DecodeFromChars(
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN");
        Assert.Equal("When I grow up, I want to be a watermelon"u8, MessageDecryption.Decrypt(uaKey, uaPublic, authSecret, body));
    }
}
