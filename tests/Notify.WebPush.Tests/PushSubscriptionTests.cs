using System.Buffers.Text;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using FsCheck.Xunit;
using Notify.WebPush.Tests.Support;

namespace Notify.WebPush.Tests;

public class PushSubscriptionTests
{
    private const string Endpoint = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV";

    private static readonly BigInteger P = BigInteger.Pow(2, 256) - BigInteger.Pow(2, 224) + BigInteger.Pow(2, 192) + BigInteger.Pow(2, 96) - 1;

    [Fact]
    public void It_holds_the_endpoint_and_the_keys_without_padding()
    {
        var subscription = PushSubscription.Create(Endpoint, Rfc8291.UaPublic, Rfc8291.AuthSecret);

        Assert.Equal(new Uri(Endpoint), subscription.Endpoint);
        Assert.Equal(Rfc8291.UaPublic, subscription.P256dh);
        Assert.Equal(Rfc8291.AuthSecret, subscription.Auth);
        Assert.Null(subscription.ExpirationTime);
    }

    [Property(MaxTest = 50)]
    public void Keys_come_in_either_alphabet_with_or_without_padding_and_go_out_in_one_form(bool standard, bool padded)
    {
        var userAgent = new UserAgent();

        var subscription = PushSubscription.Create(Endpoint, Spell(userAgent.P256dh), Spell(userAgent.Auth));

        Assert.Equal(userAgent.P256dh, subscription.P256dh);
        Assert.Equal(userAgent.Auth, subscription.Auth);

        string Spell(string key)
        {
            key = standard ? key.Replace('-', '+').Replace('_', '/') : key;
            return padded ? key.PadRight((key.Length + 3) / 4 * 4, '=') : key;
        }
    }

    [Fact]
    public void A_p256dh_of_any_other_length_than_65_bytes_is_refused()
    {
        var valid = Rfc8291.Decode(Rfc8291.UaPublic);
        for (var length = 0; length <= 200; length++)
        {
            if (length != valid.Length)
            {
                var bytes = new byte[length];
                valid.AsSpan(0, Math.Min(length, valid.Length)).CopyTo(bytes);
                RefusesKeys(Base64Url.EncodeToString(bytes), Rfc8291.AuthSecret, $"not {length}");
            }
        }
    }

    [Fact]
    public void An_auth_of_any_other_length_than_16_bytes_is_refused()
    {
        for (var length = 0; length <= 200; length++)
        {
            if (length != 16)
            {
                RefusesKeys(Rfc8291.UaPublic, Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(length)), $"not {length}");
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("not base64url!")]
    [InlineData(" BTBZMqHH6r4Tts7J_aSIgg")]
    [InlineData("BTBZMqHH6r4Tts7J_aSIgg\n")]
    [InlineData("BTBZMqHH6r4Tts7J_aSIgg=")]
    public void A_key_that_is_no_base64url_of_its_length_is_refused(string key)
    {
        RefusesKeys(key, Rfc8291.AuthSecret, "keys.p256dh");
        RefusesKeys(Rfc8291.UaPublic, key, "keys.auth");
    }

    [Property(MaxTest = 200)]
    public void A_point_off_the_curve_is_refused(byte bit)
    {
        // For almost every x the curve has two y; a y that differs in one bit is neither.
        var point = new UserAgent().UaPublic;
        point[33 + (bit / 8)] ^= (byte)(1 << (bit % 8));

        RefusesKeys(Base64Url.EncodeToString(point), Rfc8291.AuthSecret, "curve");
    }

    [Theory]
    [InlineData(0x00)]
    [InlineData(0x02)]
    [InlineData(0x03)]
    [InlineData(0x05)]
    [InlineData(0x06)]
    [InlineData(0x07)]
    public void A_point_with_another_first_byte_than_4_is_refused(byte first)
    {
        var point = new UserAgent().UaPublic;
        point[0] = first;

        RefusesKeys(Base64Url.EncodeToString(point), Rfc8291.AuthSecret, "0x04");
    }

    [Fact]
    public void A_compressed_point_is_refused()
    {
        var point = new UserAgent().UaPublic;

        RefusesKeys(Base64Url.EncodeToString([(byte)(2 + (point[64] & 1)), .. point[1..33]]), Rfc8291.AuthSecret, "65 bytes, not 33");
    }

    [Fact]
    public void The_point_at_infinity_is_refused_in_each_spelling()
    {
        RefusesKeys(Base64Url.EncodeToString([0]), Rfc8291.AuthSecret, "65 bytes, not 1");
        RefusesKeys(Base64Url.EncodeToString(new byte[65]), Rfc8291.AuthSecret, "0x04");
        RefusesKeys(Base64Url.EncodeToString([4, .. new byte[64]]), Rfc8291.AuthSecret, "curve");
    }

    [Fact]
    public void A_coordinate_that_is_not_less_than_the_prime_is_refused()
    {
        // y² = x³ - 3x + b; x = 5 is on the curve, and 5 + p still fits into 32 bytes.
        var b = BigInteger.Parse("05ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b", NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        BigInteger x = 5;
        var square = ((x * x * x) - (3 * x) + b) % P;
        var y = BigInteger.ModPow(square, (P + 1) / 4, P);
        Assert.Equal(square, y * y % P);
        Assert.NotNull(PushSubscription.Create(Endpoint, Spell(x, y), Rfc8291.AuthSecret));

        RefusesKeys(Spell(x + P, y), Rfc8291.AuthSecret, "curve");

        static string Spell(BigInteger x, BigInteger y) => Base64Url.EncodeToString([4, .. Bytes(x), .. Bytes(y)]);

        static byte[] Bytes(BigInteger number)
        {
            var bytes = number.ToByteArray(isUnsigned: true, isBigEndian: true);
            return [.. new byte[32 - bytes.Length], .. bytes];
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("/push/secret-token")]
    [InlineData("push.example.net/secret-token")]
    [InlineData("//push.example.net/secret-token")]
    [InlineData("https:push.example.net/secret-token")]
    [InlineData("https:/push.example.net/secret-token")]
    [InlineData("https:\\\\push.example.net\\secret-token")]
    [InlineData("https:///secret-token")]
    [InlineData("https://push.example.net/secret-token#fragment")]
    [InlineData("https://push.example.net/secret-token#")]
    [InlineData("https://push.example.net:99999/secret-token")]
    [InlineData(" https://push.example.net/secret-token")]
    [InlineData("https://push.example.net/secret-token\r\nHost: other")]
    [InlineData("https://push.example.net/secret token")]
    [InlineData("https://püsh.example.net/secret-token")]
    public void An_endpoint_that_is_no_absolute_URL_as_serialised_is_refused_and_not_repeated(string endpoint) => RefusesEndpoint(endpoint, "parse_error");

    [Theory]
    [InlineData("ftp://push.example.net/secret-token")]
    [InlineData("file:///secret-token")]
    [InlineData("javascript:secret-token")]
    [InlineData("wss://push.example.net/secret-token")]
    [InlineData("https://user@push.example.net/secret-token")]
    [InlineData("https://@push.example.net/secret-token")]
    [InlineData("https://user:password@push.example.net/secret-token")]
    [InlineData("data:text/plain,secret-token")]
    [InlineData("ftp://user:secret-token@push.example.net/")]
    [InlineData("https://fcm.googleapis.com@push.example.net/secret-token")]
    [InlineData("https://fcm.googleapis.com:443@push.example.net/secret-token")]
    public void An_endpoint_that_is_never_pushed_to_is_not_allowed_and_not_repeated(string endpoint) => RefusesEndpoint(endpoint, "endpoint_not_allowed");

    [Theory]
    [InlineData("http://localhost:5081/push/1")]
    [InlineData("https://fcm.googleapis.com/fcm/send/dP1x:APA91bF_-x")]
    [InlineData("https://updates.push.services.mozilla.com/wpush/v2/gAAAAABl-_8=")]
    [InlineData("https://web.push.apple.com/QGu-Zx_9")]
    [InlineData("https://wns2-par02p.notify.windows.com/w/?token=BQYAAAC%2bV8%2fq%3d%3d")]
    [InlineData("https://[::1]:8443/p")]
    public void The_endpoints_of_the_vendors_are_kept_letter_for_letter(string endpoint)
    {
        var subscription = PushSubscription.Create(endpoint, Rfc8291.UaPublic, Rfc8291.AuthSecret);

        Assert.Equal(endpoint, subscription.Endpoint.OriginalString);
        Assert.Equal(endpoint, subscription.Endpoint.AbsoluteUri);
    }

    [Property(MaxTest = 300)]
    public void Any_three_texts_make_a_subscription_or_throw_its_exception(string? endpoint, string? p256dh, string? auth)
    {
        foreach (var (e, p, a) in new[] { (endpoint, p256dh, auth), (Endpoint, p256dh, auth), ("https://" + endpoint, Rfc8291.UaPublic, Rfc8291.AuthSecret) })
        {
            try
            {
                PushSubscription.Create(e ?? "", p ?? "", a ?? "");
            }
            catch (PushSubscriptionException thrown)
            {
                Assert.Contains(thrown.Code, (string[])["parse_error", "invalid_keys", "endpoint_not_allowed"]);
            }
        }
    }

    private static void RefusesEndpoint(string endpoint, string code)
    {
        var e = Assert.Throws<PushSubscriptionException>(() => PushSubscription.Create(endpoint, Rfc8291.UaPublic, Rfc8291.AuthSecret));

        Assert.Equal(code, e.Code);
        Assert.StartsWith("endpoint must be", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-token", e.ToString(), StringComparison.Ordinal);
        Assert.Null(e.InnerException);
    }

    private static void RefusesKeys(string p256dh, string auth, string expectedInMessage)
    {
        var e = Assert.Throws<PushSubscriptionException>(() => PushSubscription.Create(Endpoint, p256dh, auth));

        Assert.Equal("invalid_keys", e.Code);
        Assert.Contains(expectedInMessage, e.Message, StringComparison.Ordinal);
        Assert.Null(e.InnerException);
        Assert.All(new[] { p256dh, auth }.Where(key => key.Length > 10), key => Assert.DoesNotContain(key, e.ToString(), StringComparison.Ordinal));
    }
}
