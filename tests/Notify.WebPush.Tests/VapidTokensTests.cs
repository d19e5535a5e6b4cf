using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using Notify.WebPush.Tests.Support;
using Org.BouncyCastle.Asn1.Sec;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.Math;

namespace Notify.WebPush.Tests;

public sealed class VapidTokensTests : IDisposable
{
    private const string Subject = "mailto:push+web@example.com";

    private static readonly Uri Endpoint = new("https://push.example.net/push/secret-token?x=y");

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
    private readonly VapidKeyPair _keys = VapidKeyPair.Generate();
    private readonly VapidTokens _tokens;

    public VapidTokensTests() => _tokens = new VapidTokens(Subject, _time);

    public void Dispose() => _keys.Dispose();

    [Fact]
    public void The_token_says_who_to_whom_and_until_when_and_its_signature_verifies_independently()
    {
        var (header, claims) = Verify(_tokens.GetAuthorization(Endpoint, _keys), _keys.PublicKey);

        Assert.Equal("""{"typ":"JWT","alg":"ES256"}""", header);
        Assert.Equal($$"""{"aud":"https://push.example.net","exp":{{_time.GetUtcNow().AddHours(12).ToUnixTimeSeconds()}},"sub":"{{Subject}}"}""", claims);
    }

    [Theory]
    [InlineData("https://push.example.net/a", "https://push.example.net")]
    [InlineData("https://push.example.net:443/a", "https://push.example.net")]
    [InlineData("https://push.example.net:8443/a", "https://push.example.net:8443")]
    [InlineData("http://localhost:5081/a", "http://localhost:5081")]
    [InlineData("http://localhost:80/a", "http://localhost")]
    [InlineData("https://PUSH.Example.net/a", "https://push.example.net")]
    [InlineData("https://user@push.example.net/a", "https://push.example.net")]
    [InlineData("https://[::1]:8443/a", "https://[::1]:8443")]
    [InlineData("https://127.0.0.1/a", "https://127.0.0.1")]
    [InlineData("https://püsh.example.net/a", "https://xn--psh-hoa.example.net")]
    public void The_audience_is_the_origin_with_a_port_that_is_not_the_default(string endpoint, string audience)
    {
        var (_, claims) = Verify(_tokens.GetAuthorization(new Uri(endpoint), _keys), _keys.PublicKey);

        using var json = JsonDocument.Parse(claims);
        Assert.Equal(audience, json.RootElement.GetProperty("aud").GetString());
    }

    [Fact]
    public void One_token_serves_all_endpoints_of_an_origin()
    {
        var token = _tokens.GetAuthorization(Endpoint, _keys);

        Assert.Same(token, _tokens.GetAuthorization(new Uri("https://push.example.net/another"), _keys));
        Assert.Equal(1, _tokens.SignatureCount);
    }

    [Theory]
    [InlineData("https://other.example.net/a")]
    [InlineData("https://push.example.net:8443/a")]
    [InlineData("http://push.example.net/a")]
    public void Another_origin_gets_a_token_of_its_own(string endpoint) =>
        Assert.NotEqual(_tokens.GetAuthorization(Endpoint, _keys), _tokens.GetAuthorization(new Uri(endpoint), _keys));

    [Fact]
    public void Another_key_pair_gets_a_token_of_its_own()
    {
        using var other = VapidKeyPair.Generate();
        var token = _tokens.GetAuthorization(Endpoint, _keys);

        Verify(_tokens.GetAuthorization(Endpoint, other), other.PublicKey);
        Assert.Same(token, _tokens.GetAuthorization(Endpoint, _keys));
    }

    [Fact]
    public void A_token_is_used_for_11_hours_and_then_renewed()
    {
        var token = _tokens.GetAuthorization(Endpoint, _keys);

        _time.Advance(TimeSpan.FromHours(11));
        Assert.Same(token, _tokens.GetAuthorization(Endpoint, _keys));

        _time.Advance(TimeSpan.FromTicks(1));
        var renewed = _tokens.GetAuthorization(Endpoint, _keys);
        Assert.NotEqual(token, renewed);
        Assert.Same(renewed, _tokens.GetAuthorization(Endpoint, _keys));
        Assert.Equal(2, _tokens.SignatureCount);
        Assert.Equal(1, _tokens.Count);
    }

    [Fact]
    public void A_clock_set_back_renews_the_token_that_would_end_too_far_ahead()
    {
        var wrongTime = new SettableTimeProvider { Now = new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.Zero) };
        var tokens = new VapidTokens(Subject, wrongTime);
        var token = tokens.GetAuthorization(Endpoint, _keys);

        wrongTime.Now -= TimeSpan.FromDays(1);

        Assert.NotEqual(token, tokens.GetAuthorization(Endpoint, _keys));
    }

    [Fact]
    public async Task Callers_at_the_same_time_sign_once_a_renewal()
    {
        for (var renewal = 1; renewal <= 20; renewal++)
        {
            using var start = new Barrier(64);
            var tokens = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait();
                    return _tokens.GetAuthorization(Endpoint, _keys);
                },
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                TaskScheduler.Default)));

            Assert.Single(tokens.Distinct());
            Assert.Equal(renewal, _tokens.SignatureCount);
            _time.Advance(TimeSpan.FromHours(11.5));
        }
    }

    [Fact]
    public void Made_up_origins_cannot_grow_it_without_end()
    {
        for (var i = 0; i < VapidTokens.Capacity + 50; i++)
        {
            _tokens.GetAuthorization(new Uri($"https://h{i}.example.net/a"), _keys);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(VapidTokens.Capacity, _tokens.Count);
        var signatures = _tokens.SignatureCount;
        _tokens.GetAuthorization(new Uri($"https://h{VapidTokens.Capacity + 49}.example.net/a"), _keys);
        Assert.Equal(signatures, _tokens.SignatureCount);
    }

    [Theory]
    [InlineData("")]
    [InlineData("push@example.com")]
    [InlineData("mailto:")]
    [InlineData("mailto:@")]
    [InlineData("mailto:push")]
    [InlineData("http://example.com")]
    [InlineData("https://")]
    [InlineData("tel:123")]
    public void A_subject_that_is_no_mailto_or_https_URI_is_refused(string subject) =>
        Assert.Contains("mailto:", Assert.Throws<VapidException>(() => new VapidTokens(subject, _time)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("/relative/secret-token")]
    [InlineData("ftp://push.example.net/secret-token")]
    public void An_endpoint_that_is_no_web_URL_is_refused_and_not_repeated(string endpoint)
    {
        var e = Assert.Throws<ArgumentException>(() => _tokens.GetAuthorization(new Uri(endpoint, UriKind.RelativeOrAbsolute), _keys));
        Assert.DoesNotContain("secret-token", e.ToString(), StringComparison.Ordinal);
    }

    /// <summary>RFC 8292, section 3, and RFC 7515: takes the header apart and verifies ES256 with BouncyCastle.</summary>
    private static (string Header, string Claims) Verify(string authorization, string publicKey)
    {
        Assert.StartsWith("vapid t=", authorization, StringComparison.Ordinal);
        var parts = authorization["vapid t=".Length..].Split(", k=");
        Assert.Equal(publicKey, parts[1]);
        var jwt = parts[0].Split('.');
        Assert.Equal(3, jwt.Length);

        var curve = new ECDomainParameters(SecNamedCurves.GetByName("secp256r1"));
        var verifier = new ECDsaSigner();
        verifier.Init(false, new ECPublicKeyParameters(curve.Curve.DecodePoint(Rfc8291.Decode(publicKey)), curve));
        var data = System.Text.Encoding.ASCII.GetBytes($"{jwt[0]}.{jwt[1]}");
        var digest = new Sha256Digest();
        digest.BlockUpdate(data, 0, data.Length);
        var hash = new byte[32];
        digest.DoFinal(hash, 0);
        var signature = Rfc8291.Decode(jwt[2]);
        Assert.Equal(64, signature.Length);
        Assert.True(verifier.VerifySignature(hash, new BigInteger(1, signature[..32]), new BigInteger(1, signature[32..])));
        return (System.Text.Encoding.UTF8.GetString(Rfc8291.Decode(jwt[0])), System.Text.Encoding.UTF8.GetString(Rfc8291.Decode(jwt[1])));
    }

    private sealed class SettableTimeProvider : TimeProvider
    {
        internal DateTimeOffset Now { get; set; }

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
