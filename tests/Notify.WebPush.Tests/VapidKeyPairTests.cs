using System.Buffers.Text;
using System.Security.Cryptography;
using FsCheck.Xunit;
using Notify.WebPush.Tests.Support;

namespace Notify.WebPush.Tests;

public class VapidKeyPairTests
{
    // The order of the group (FIPS 186-5): private keys are less than it.
    private const string Order = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

    [Fact]
    public void A_new_pair_is_a_raw_point_and_a_raw_scalar_and_no_two_are_alike()
    {
        using var one = VapidKeyPair.Generate();
        using var other = VapidKeyPair.Generate();

        Assert.Equal(65, Base64Url.DecodeFromChars(one.PublicKey).Length);
        Assert.StartsWith("B", one.PublicKey, StringComparison.Ordinal);
        Assert.Equal(32, Base64Url.DecodeFromChars(one.PrivateKey).Length);
        Assert.NotEqual(one.PublicKey, other.PublicKey);
        Assert.NotEqual(one.PrivateKey, other.PrivateKey);
    }

    [Property(MaxTest = 50)]
    public void What_goes_out_comes_in_again_in_either_alphabet_padded_or_not(bool standard, bool padded)
    {
        using var pair = VapidKeyPair.Generate();

        using var imported = VapidKeyPair.Import(Spell(pair.PublicKey), Spell(pair.PrivateKey));

        Assert.Equal(pair.PublicKey, imported.PublicKey);
        Assert.Equal(pair.PrivateKey, imported.PrivateKey);

        string Spell(string key)
        {
            key = standard ? key.Replace('-', '+').Replace('_', '/') : key;
            return padded ? key.PadRight((key.Length + 3) / 4 * 4, '=') : key;
        }
    }

    [Fact]
    public void An_imported_pair_signs_what_its_public_key_verifies()
    {
        using var pair = VapidKeyPair.Import(Rfc8291.AsPublic, Rfc8291.AsPrivate);
        var signature = new byte[64];

        pair.Sign("data"u8, signature);

        using var verifier = ECDsa.Create(P256.PublicKey(Rfc8291.Decode(Rfc8291.AsPublic)));
        Assert.True(verifier.VerifyData("data"u8, signature, HashAlgorithmName.SHA256));
        Assert.False(verifier.VerifyData("date"u8, signature, HashAlgorithmName.SHA256));
    }

    [Fact]
    public void Keys_of_two_pairs_are_refused() => Refuses(Rfc8291.UaPublic, Rfc8291.AsPrivate, "does not belong");

    [Fact]
    public void Every_wrong_length_is_refused_by_name()
    {
        for (var length = 0; length <= 200; length++)
        {
            var key = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(length));
            if (length != 65)
            {
                Refuses(key, Rfc8291.AsPrivate, $"public key must decode to 65 bytes, not {length}");
            }

            if (length != 32)
            {
                Refuses(Rfc8291.AsPublic, key, $"private key must decode to 32 bytes, not {length}");
            }
        }
    }

    [Theory]
    [InlineData("no base64url!")]
    [InlineData("\"BP4z\"")]
    [InlineData("BP4z ")]
    public void What_is_no_base64url_is_refused_by_name(string text)
    {
        Refuses(text, Rfc8291.AsPrivate, "public key is not base64url");
        Refuses(Rfc8291.AsPublic, text, "private key is not base64url");
    }

    [Fact]
    public void A_public_key_off_the_curve_is_refused()
    {
        var point = Rfc8291.Decode(Rfc8291.AsPublic);
        point[64] ^= 1;
        Refuses(Base64Url.EncodeToString(point), Rfc8291.AsPrivate, "public key is no uncompressed point");

        point[64] ^= 1;
        point[0] = 2;
        Refuses(Base64Url.EncodeToString(point), Rfc8291.AsPrivate, "public key is no uncompressed point");
    }

    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData(Order)]
    [InlineData("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632552")]
    [InlineData("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF")]
    public void A_private_key_out_of_range_is_refused(string hex) =>
        Refuses(Rfc8291.AsPublic, Base64Url.EncodeToString(Convert.FromHexString(hex)), "private key");

    [Fact]
    public void The_private_key_is_not_given_out_after_disposal_nor_in_text()
    {
        var pair = VapidKeyPair.Generate();
        Assert.DoesNotContain(pair.PrivateKey, pair.ToString(), StringComparison.Ordinal);
        pair.Dispose();

        Assert.Throws<ObjectDisposedException>(() => pair.PrivateKey);
    }

    private static void Refuses(string publicKey, string privateKey, string expectedInMessage)
    {
        var e = Assert.Throws<VapidException>(() => VapidKeyPair.Import(publicKey, privateKey));

        Assert.Contains(expectedInMessage, e.Message, StringComparison.Ordinal);
        Assert.Null(e.InnerException);
        Assert.All(new[] { publicKey, privateKey }.Where(key => key.Length > 10), key => Assert.DoesNotContain(key, e.ToString(), StringComparison.Ordinal));
    }
}
