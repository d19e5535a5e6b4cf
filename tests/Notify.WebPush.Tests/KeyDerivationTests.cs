using System.Buffers.Text;
using System.Security.Cryptography;
using static Notify.WebPush.Tests.Support.Rfc8291;

namespace Notify.WebPush.Tests;

public class KeyDerivationTests
{
    [Theory]
    [MemberData(nameof(PrimitivesTests.Ways), MemberType = typeof(PrimitivesTests))]
    public void Each_value_derived_is_that_of_RFC_8291_appendix_A(string way)
    {
        var primitives = PrimitivesTests.Of(way);
        byte[] prkKey = new byte[32], ikm = new byte[32], prk = new byte[32], cek = new byte[16], nonce = new byte[12];

        KeyDerivation.DerivePrkKey(primitives, Decode(AuthSecret), Decode(EcdhSecret), prkKey);
        KeyDerivation.DeriveIkm(primitives, prkKey, Decode(UaPublic), Decode(AsPublic), ikm);
        KeyDerivation.DerivePrk(primitives, Decode(Salt), ikm, prk);
        KeyDerivation.DeriveCek(primitives, prk, cek);
        KeyDerivation.DeriveNonce(primitives, prk, nonce);

        Assert.Equal(
            [PrkKey, Ikm, Prk, Cek, Nonce],
            new[] { prkKey, ikm, prk, cek, nonce }.Select(v => Base64Url.EncodeToString(v)));
    }

    [Theory]
    [MemberData(nameof(PrimitivesTests.Ways), MemberType = typeof(PrimitivesTests))]
    public void Key_and_nonce_are_those_of_RFC_8188_section_3_1(string way)
    {
        var primitives = PrimitivesTests.Of(way);
        byte[] prk = new byte[32], cek = new byte[16], nonce = new byte[12];

        KeyDerivation.DerivePrk(primitives, Decode("I1BsxtFttlv3u_Oo94xnmw"), Decode("yqdlZ-tYemfogSmv7Ws5PQ"), prk);
        KeyDerivation.DeriveCek(primitives, prk, cek);
        KeyDerivation.DeriveNonce(primitives, prk, nonce);

        Assert.Equal("zyeH5phsIsgUyd4oiSEIy35x-gIi4aM7y0hCF8mwn9g", Base64Url.EncodeToString(prk));
        Assert.Equal("_wniytB-ofscZDh4tbSjHw", Base64Url.EncodeToString(cek));
        Assert.Equal("Bcs8gkIRKLI8GeI8", Base64Url.EncodeToString(nonce));
    }

    [Theory]
    [MemberData(nameof(PrimitivesTests.Ways), MemberType = typeof(PrimitivesTests))]
    public void One_HMAC_gives_what_HKDF_Expand_gives(string way)
    {
        var primitives = PrimitivesTests.Of(way);
        var prk = RandomNumberGenerator.GetBytes(32);
        byte[] cek = new byte[16], nonce = new byte[12];

        KeyDerivation.DeriveCek(primitives, prk, cek);
        KeyDerivation.DeriveNonce(primitives, prk, nonce);

        Assert.Equal(HKDF.Expand(HashAlgorithmName.SHA256, prk, 16, "Content-Encoding: aes128gcm\0"u8.ToArray()), cek);
        Assert.Equal(HKDF.Expand(HashAlgorithmName.SHA256, prk, 12, "Content-Encoding: nonce\0"u8.ToArray()), nonce);
    }
}
