using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using FsCheck;
using FsCheck.Xunit;
using Notify.WebPush.Tests.Support;

namespace Notify.WebPush.Tests;

/// <summary>Both ways to compute what a message is encrypted with.</summary>
public class PrimitivesTests
{
    private const string Order = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

    private static readonly Primitives Portable = new PortablePrimitives();

    private static readonly Lazy<Primitives> ByLibcrypto = new(() => LibcryptoPrimitives.TryCreate() ?? throw new InvalidOperationException("libcrypto is not there."));

    private static Primitives Libcrypto => ByLibcrypto.Value;

    private delegate nuint PeekError();

    public static TheoryData<string> Ways => OperatingSystem.IsLinux() ? new(nameof(Portable), nameof(Libcrypto)) : new(nameof(Portable));

    [Fact]
    public void On_Linux_libcrypto_is_chosen() => Assert.Equal(OperatingSystem.IsLinux(), Primitives.Default is LibcryptoPrimitives);

    [Theory]
    [MemberData(nameof(Ways))]
    public void The_keys_of_RFC_8291_agree_as_in_its_appendix_A(string way)
    {
        var (asPublic, ecdhSecret) = Agree(Of(way), Rfc8291.UserAgent.Subscribe(), Rfc8291.Decode(Rfc8291.AsPrivate));

        Assert.Equal((Rfc8291.AsPublic, Rfc8291.EcdhSecret), (Base64Url.EncodeToString(asPublic), Base64Url.EncodeToString(ecdhSecret)));
    }

    [Property(MaxTest = 300)]
    public void Both_ways_come_to_the_same(byte[] seed)
    {
        // Any private key, small ones too.
        var asPrivate = SHA256.HashData(seed);
        asPrivate.AsSpan(0, seed.Length % 32).Clear();
        asPrivate[^1] |= 1;
        var subscription = new UserAgent().Subscribe();

        foreach (var way in Ways)
        {
            var (asPublic, ecdhSecret) = Agree(Of(way), subscription, asPrivate);
            var (expectedPublic, expectedSecret) = Agree(Portable, subscription, asPrivate);
            Assert.Equal(expectedPublic, asPublic);
            Assert.Equal(expectedSecret, ecdhSecret);
        }
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public void A_fresh_pair_agrees_with_the_user_agents_side(string way)
    {
        using var userAgent = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var q = userAgent.ExportParameters(includePrivateParameters: false).Q;
        var subscription = PushSubscription.Create("https://push.example.net/p", Base64Url.EncodeToString([4, .. q.X!, .. q.Y!]), Base64Url.EncodeToString(new byte[16]));
        var seen = new HashSet<string>();
        for (var i = 0; i < 200; i++)
        {
            byte[] asPublic = new byte[65], ecdhSecret = new byte[32];

            Of(way).Agree(subscription, asPublic, ecdhSecret);

            using var theirs = ECDiffieHellman.Create(P256.PublicKey(asPublic));
            Assert.Equal(userAgent.DeriveRawSecretAgreement(theirs.PublicKey), ecdhSecret);
            Assert.True(seen.Add(Convert.ToHexString(asPublic)));
        }
    }

    [Property(MaxTest = 300)]
    public void Both_ways_make_the_same_HMAC(NonEmptyArray<byte> key, byte[] data)
    {
        foreach (var way in Ways)
        {
            var mac = new byte[32];
            Of(way).Hmac(key.Get, data, mac);
            Assert.Equal(HMACSHA256.HashData(key.Get, data), mac);
        }
    }

    [Property(MaxTest = 300)]
    public void Both_ways_encrypt_to_what_AES_GCM_reads(NonEmptyArray<byte> text)
    {
        foreach (var way in Ways)
        {
            var (key, nonce) = (RandomNumberGenerator.GetBytes(16), RandomNumberGenerator.GetBytes(12));
            byte[] encrypted = [.. text.Get], tag = new byte[16];
            Of(way).Encrypt(key, nonce, encrypted, tag);

            using var aes = new AesGcm(key, 16);
            aes.Decrypt(nonce, encrypted, tag, encrypted);
            Assert.Equal(text.Get, encrypted);
        }
    }

    [Fact]
    public async Task Libcrypto_serves_many_threads()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libcrypto is used on Linux.");
        var subscription = Rfc8291.UserAgent.Subscribe();
        var (libcrypto, bodies) = (Libcrypto, new ConcurrentBag<string>());
        var plaintext = Encoding.UTF8.GetBytes(Rfc8291.Plaintext);
        using var together = new Barrier(8);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
            () =>
            {
                var body = new byte[ContentEncryption.GetEncryptedLength(plaintext.Length)];
                for (var i = 0; i < 200; i++)
                {
                    Assert.True(together.SignalAndWait(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken), "Another thread failed.");
                    ContentEncryption.Encrypt(subscription, plaintext, body, Rfc8291.Decode(Rfc8291.Salt), libcrypto, Rfc8291.Decode(Rfc8291.AsPrivate));
                    bodies.Add(Base64Url.EncodeToString(body));
                }
            },
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));

        Assert.Equal([Rfc8291.Body], bodies.Distinct());
        Assert.Equal(1_600, bodies.Count);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(nameof(Primitives.Agree))]
    [InlineData(nameof(Primitives.Hmac))]
    [InlineData(nameof(Primitives.Encrypt))]
    public void What_is_known_of_a_messages_keys_is_forgotten_whether_it_was_encrypted_or_not(string? fails)
    {
        var primitives = new Failing(fails);

        var exception = Record.Exception(() => ContentEncryption.Encrypt(Rfc8291.UserAgent.Subscribe(), [1], new byte[104], new byte[16], primitives, asPrivate: []));

        Assert.Equal(fails, exception?.Message);
        Assert.Equal(1, primitives.Forgotten);
    }

    [Fact]
    public void Libcrypto_goes_on_after_it_has_forgotten()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libcrypto is used on Linux.");
        for (var i = 0; i < 3; i++)
        {
            byte[] mac = new byte[32], text = [3], tag = new byte[16];
            Libcrypto.Forget();
            Libcrypto.Hmac([1], [2], mac);
            Libcrypto.Forget();
            Libcrypto.Encrypt(new byte[16], new byte[12], text, tag);

            Assert.Equal(HMACSHA256.HashData([1], [2]), mac);
            using var aes = new AesGcm(new byte[16], 16);
            aes.Decrypt(new byte[12], text, tag, text);
            Assert.Equal([3], text);
        }
    }

    [Fact]
    public void Libcrypto_refuses_keys_nonces_and_destinations_of_other_lengths()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libcrypto is used on Linux.");
        Assert.Throws<CryptographicException>(() => Libcrypto.Hmac([], [1], new byte[32]));
        Assert.Throws<CryptographicException>(() => Libcrypto.Hmac([1], [1], new byte[31]));
        foreach (var (key, nonce, tag) in new[] { (15, 12, 16), (32, 12, 16), (16, 11, 16), (16, 16, 16), (16, 12, 15), (16, 12, 17) })
        {
            Assert.Throws<CryptographicException>(() => Libcrypto.Encrypt(new byte[key], new byte[nonce], new byte[5], new byte[tag]));
        }
    }

    [Theory]
    [InlineData(1, 0xff)]
    [InlineData(40, 0x01)]
    [InlineData(64, 0x01)]
    public void Libcrypto_refuses_a_point_that_is_not_on_the_curve(int position, byte change)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libcrypto is used on Linux.");
        var point = Rfc8291.Decode(Rfc8291.UaPublic);
        point[position] ^= change;

        Assert.Throws<CryptographicException>(() => LibcryptoPrimitives.Agree(point, Rfc8291.Decode(Rfc8291.AsPrivate), new byte[65], new byte[32]));
        Assert.All(Ways, way => Assert.False(Of(way).IsOnCurve(point)));
        Assert.All(Ways, way => Assert.True(Of(way).IsOnCurve(Rfc8291.Decode(Rfc8291.UaPublic))));

        // And it leaves no error behind that somebody else would stumble over.
        var peekError = Marshal.GetDelegateForFunctionPointer<PeekError>(NativeLibrary.GetExport(NativeLibrary.Load("libcrypto.so.3"), "ERR_peek_error"));
        Assert.Equal(0u, peekError());
    }

    [Fact]
    public void Libcrypto_refuses_what_is_no_point_or_no_private_key()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libcrypto is used on Linux.");
        var (point, scalar) = (Rfc8291.Decode(Rfc8291.UaPublic), Rfc8291.Decode(Rfc8291.AsPrivate));
        var compressed = (byte[])[(byte)(2 + (point[^1] & 1)), .. point[1..33]];
        foreach (var (uaPublic, asPrivate) in new[] { (compressed, scalar), ([0], scalar), (point, new byte[32]), (point, Convert.FromHexString(Order)), (point, scalar[1..]) })
        {
            Assert.Throws<CryptographicException>(() => LibcryptoPrimitives.Agree(uaPublic, asPrivate, new byte[65], new byte[32]));
        }

        var greatest = Convert.FromHexString(Order);
        greatest[^1]--;
        LibcryptoPrimitives.Agree(point, greatest, new byte[65], new byte[32]);
    }

    internal static Primitives Of(string way) => way == nameof(Portable) ? Portable : Libcrypto;

    private static (byte[] AsPublic, byte[] EcdhSecret) Agree(Primitives primitives, PushSubscription subscription, byte[] asPrivate)
    {
        byte[] asPublic = new byte[65], ecdhSecret = new byte[32];
        primitives.Agree(subscription, asPrivate, asPublic, ecdhSecret);
        return (asPublic, ecdhSecret);
    }

    private sealed class Failing(string? fails) : Primitives
    {
        public int Forgotten { get; private set; }

        internal override bool IsOnCurve(ReadOnlySpan<byte> point) => Portable.IsOnCurve(point);

        internal override void Agree(PushSubscription subscription, Span<byte> asPublic, Span<byte> ecdhSecret)
        {
            FailIn(nameof(Agree));
            Portable.Agree(subscription, asPublic, ecdhSecret);
        }

        internal override void Agree(PushSubscription subscription, ReadOnlySpan<byte> asPrivate, Span<byte> asPublic, Span<byte> ecdhSecret) => throw new NotSupportedException();

        internal override void Hmac(ReadOnlySpan<byte> key, ReadOnlySpan<byte> data, Span<byte> mac)
        {
            FailIn(nameof(Hmac));
            Portable.Hmac(key, data, mac);
        }

        internal override void Encrypt(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, Span<byte> text, Span<byte> tag)
        {
            FailIn(nameof(Encrypt));
            Portable.Encrypt(key, nonce, text, tag);
        }

        internal override void Forget() => Forgotten++;

        private void FailIn(string what)
        {
            if (what == fails)
            {
                throw new CryptographicException(what);
            }
        }
    }
}
