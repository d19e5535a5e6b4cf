using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Notify.WebPush.Tests.Support;

namespace Notify.WebPush.Tests;

public class PushSubscriptionJsonTests
{
    private const string Endpoint = "https://push.example.net/push/secret-token";

    private const string Valid =
        $$$"""{"endpoint":"{{{Endpoint}}}","expirationTime":null,"keys":{"p256dh":"{{{Rfc8291.UaPublic}}}","auth":"{{{Rfc8291.AuthSecret}}}"}}""";

    [Fact]
    public void What_toJSON_gives_is_read()
    {
        var subscription = Parse(Valid);

        Assert.Equal(Endpoint, subscription.Endpoint.AbsoluteUri);
        Assert.Equal(Rfc8291.UaPublic, subscription.P256dh);
        Assert.Equal(Rfc8291.AuthSecret, subscription.Auth);
        Assert.Null(subscription.ExpirationTime);
    }

    [Theory]
    [InlineData("1700000000000", 1700000000000)]
    [InlineData("1700000000000.75", 1700000000000)]
    [InlineData("0", 0)]
    [InlineData("253402300799999", 253402300799999)]
    public void The_expiration_time_is_in_milliseconds(string text, long milliseconds) =>
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(milliseconds), Parse(Valid.Replace("null", text, StringComparison.Ordinal)).ExpirationTime);

    [Theory]
    [InlineData("-1")]
    [InlineData("253402300800000")]
    [InlineData("1e300")]
    [InlineData("1e999")]
    [InlineData("\"soon\"")]
    [InlineData("{}")]
    public void Another_expiration_time_is_refused(string text) =>
        Assert.Contains("expirationTime", Refuses(Valid.Replace("null", text, StringComparison.Ordinal)).Message, StringComparison.Ordinal);

    [Fact]
    public void Members_unknown_here_are_ignored() =>
        Assert.NotNull(Parse("""{"replaces":"https://a/b","extra":{"deep":[1,{"x":null}]},""" + Valid[1..]));

    [Fact]
    public void The_expiration_time_may_be_missing() =>
        Assert.Null(Parse(Valid.Replace("\"expirationTime\":null,", "", StringComparison.Ordinal)).ExpirationTime);

    [Theory]
    [InlineData("endpoint", "endpoint is missing")]
    [InlineData("keys", "keys is missing")]
    [InlineData("p256dh", "keys.p256dh is missing")]
    [InlineData("auth", "keys.auth is missing")]
    public void A_missing_member_is_named(string member, string message) =>
        Assert.StartsWith(message, Refuses(Valid.Replace($"\"{member}\"", "\"other\"", StringComparison.Ordinal)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"endpoint":1}""", "endpoint must be")]
    [InlineData("""{"endpoint":["secret-token"]}""", "endpoint must be")]
    [InlineData("""{"endpoint":"\ud800secret-token"}""", "endpoint must be")]
    [InlineData("""{"endpoint":"secret-token","endpoint":"secret-token"}""", "endpoint must be given once")]
    [InlineData("""{"keys":"secret-token"}""", "keys must be")]
    [InlineData("""{"keys":[]}""", "keys must be")]
    [InlineData("""{"keys":{"p256dh":true}}""", "keys.p256dh must be")]
    [InlineData("""{"keys":{"auth":{"secret-token":1}}}""", "keys.auth must be")]
    [InlineData("""{"endpoint":null,"keys":null}""", "keys is missing")]
    public void A_member_of_another_type_is_named(string json, string message) =>
        Assert.StartsWith(message, Refuses(json).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("null")]
    [InlineData("1")]
    [InlineData("[]")]
    [InlineData("\"secret-token\"")]
    [InlineData("{")]
    [InlineData("{} {}")]
    [InlineData("{\"secret-token\":}")]
    [InlineData("{'endpoint':'secret-token'}")]
    [InlineData("\ufeff{}")]
    public void What_is_no_JSON_object_is_refused(string json) => Refuses(json);

    [Fact]
    public void Nesting_without_end_is_refused() => Refuses("{\"x\":" + new string('[', 100_000));

    [Property(MaxTest = 500)]
    public void Random_bytes_throw_nothing_else(byte[] bytes) => ParsesOrRefuses(bytes);

    [Property(MaxTest = 2000)]
    public void Damaged_JSON_throws_nothing_else(ushort at, byte value, byte kind)
    {
        var bytes = Encoding.UTF8.GetBytes(Valid).ToList();
        var index = at % bytes.Count;
        switch (kind % 4)
        {
            case 0:
                bytes[index] = value;
                break;
            case 1:
                bytes.RemoveAt(index);
                break;
            case 2:
                bytes.Insert(index, value);
                break;
            default:
                bytes.RemoveRange(index, bytes.Count - index);
                break;
        }

        ParsesOrRefuses([.. bytes]);
    }

    [Property(MaxTest = 2000)]
    public Property JSON_of_any_shape_throws_nothing_else() => Prop.ForAll(
        AnyJson.Of(
            ["endpoint", "expirationTime", "keys", "p256dh", "auth"],
            $"\"{Endpoint}\"", "1700000000000", $"\"{Rfc8291.UaPublic}\"", $"\"{Rfc8291.AuthSecret}\"", $$"""{"p256dh":"{{Rfc8291.UaPublic}}","auth":"{{Rfc8291.AuthSecret}}"}"""),
        json => ParsesOrRefuses(Encoding.UTF8.GetBytes(json)));

    [Property(MaxTest = 200)]
    public void A_valid_one_is_the_same_after_a_round_trip(Guid path, ulong query, uint? expires, bool isHttps)
    {
        var userAgent = new UserAgent();
        var json = new
        {
            endpoint = $"{(isHttps ? "https" : "http")}://push.example.net/{path}?a={query}%2F+",
            expirationTime = (ulong?)expires * 1000,
            keys = new { p256dh = userAgent.P256dh, auth = userAgent.Auth },
        };

        var subscription = PushSubscription.Parse(JsonSerializer.SerializeToUtf8Bytes(json));

        Assert.Equal(
            (json.endpoint, (long?)json.expirationTime, userAgent.P256dh, userAgent.Auth),
            (subscription.Endpoint.AbsoluteUri, subscription.ExpirationTime?.ToUnixTimeMilliseconds(), subscription.P256dh, subscription.Auth));
    }

    private static void ParsesOrRefuses(byte[] bytes)
    {
        try
        {
            PushSubscription.Parse(bytes);
        }
        catch (PushSubscriptionException e)
        {
            Assert.DoesNotContain("secret-token", e.ToString(), StringComparison.Ordinal);
        }
    }

    private static PushSubscription Parse(string json) => PushSubscription.Parse(Encoding.UTF8.GetBytes(json));

    private static PushSubscriptionException Refuses(string json)
    {
        var e = Assert.Throws<PushSubscriptionException>(() => Parse(json));
        Assert.Equal("parse_error", e.Code);
        Assert.Null(e.InnerException);
        Assert.DoesNotContain("secret-token", e.ToString(), StringComparison.Ordinal);
        return e;
    }
}
