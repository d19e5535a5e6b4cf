using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using FsCheck.Xunit;
using Notify.WebPush.Tests.Support;

namespace Notify.WebPush.Tests;

/// <summary>Both ways to compute on the curve.</summary>
public class KeyAgreementTests
{
    private const string Order = "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551";

    private static readonly KeyAgreement Portable = new PortableKeyAgreement();

    private static KeyAgreement Libcrypto => LibcryptoKeyAgreement.TryCreate() ?? throw new InvalidOperationException("libcrypto is not there.");

    private delegate nuint PeekError();

    public static TheoryData<string> Ways => OperatingSystem.IsLinux() ? new(nameof(Portable), nameof(Libcrypto)) : new(nameof(Portable));

    [Fact]
    public void On_Linux_libcrypto_is_chosen() => Assert.Equal(OperatingSystem.IsLinux(), KeyAgreement.Default is LibcryptoKeyAgreement);

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

    [Fact]
    public async Task Libcrypto_serves_many_threads()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "libcrypto is used on Linux.");
        var subscription = Rfc8291.UserAgent.Subscribe();
        var (libcrypto, secrets) = (Libcrypto, new ConcurrentBag<string>());
        using var together = new Barrier(8);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Factory.StartNew(
            () =>
            {
                for (var i = 0; i < 200; i++)
                {
                    together.SignalAndWait(TestContext.Current.CancellationToken);
                    secrets.Add(Base64Url.EncodeToString(Agree(libcrypto, subscription, Rfc8291.Decode(Rfc8291.AsPrivate)).EcdhSecret));
                }
            },
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));

        Assert.Equal([Rfc8291.EcdhSecret], secrets.Distinct());
        Assert.Equal(1_600, secrets.Count);
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

        Assert.Throws<CryptographicException>(() => LibcryptoKeyAgreement.Agree(point, Rfc8291.Decode(Rfc8291.AsPrivate), new byte[65], new byte[32]));
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
            Assert.Throws<CryptographicException>(() => LibcryptoKeyAgreement.Agree(uaPublic, asPrivate, new byte[65], new byte[32]));
        }

        var greatest = Convert.FromHexString(Order);
        greatest[^1]--;
        LibcryptoKeyAgreement.Agree(point, greatest, new byte[65], new byte[32]);
    }

    private static KeyAgreement Of(string way) => way == nameof(Portable) ? Portable : Libcrypto;

    private static (byte[] AsPublic, byte[] EcdhSecret) Agree(KeyAgreement agreement, PushSubscription subscription, byte[] asPrivate)
    {
        byte[] asPublic = new byte[65], ecdhSecret = new byte[32];
        agreement.Agree(subscription, asPrivate, asPublic, ecdhSecret);
        return (asPublic, ecdhSecret);
    }
}
