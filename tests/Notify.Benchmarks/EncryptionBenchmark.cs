using System.Buffers.Text;
using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Notify.WebPush;

namespace Notify.Benchmarks;

/// <summary>One push message encrypted, as PushServiceClient does it for each POST.</summary>
[MemoryDiagnoser]
public class EncryptionBenchmark
{
    private static readonly PortablePrimitives Portable = new();

    private readonly PushSubscription _subscription = CreateSubscription();
    private readonly byte[] _destination = new byte[4096];
    private byte[] _content = [];

    /// <summary>Bytes of content: a short notification, and one with much text.</summary>
    [Params(200, 3000)]
    public int ContentLength { get; set; }

    /// <summary>Makes the content.</summary>
    [GlobalSetup]
    public void Setup() => _content = RandomNumberGenerator.GetBytes(ContentLength);

    /// <summary>Fresh salt and key pair, ECDH, key derivation, AES-GCM.</summary>
    [Benchmark]
    public int Encrypt() => ContentEncryption.Encrypt(_subscription, _content, _destination);

    /// <summary>The same by the base class library alone, as other systems get it and other .NET libraries do it.</summary>
    [Benchmark(Baseline = true)]
    public int EncryptPortably()
    {
        Span<byte> salt = stackalloc byte[16];
        RandomNumberGenerator.Fill(salt);
        return ContentEncryption.Encrypt(_subscription, _content, _destination, salt, Portable, asPrivate: []);
    }

    /// <summary>What the store has of a subscription, taken in: the point is checked.</summary>
    [Benchmark]
    public PushSubscription CreateAgain() => PushSubscription.Create("https://push.example.net/p", _subscription.P256dh, _subscription.Auth);

    /// <summary>The same with the point checked by the base class library as well, which is what nearly all of the time goes to.</summary>
    [Benchmark]
    public bool CheckPortably() => CreateAgain() is not null && Portable.IsOnCurve(_subscription.UaPublic);

    private static PushSubscription CreateSubscription()
    {
        using var uaKey = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        var q = uaKey.ExportParameters(includePrivateParameters: false).Q;
        return PushSubscription.Create(
            "https://push.example.net/p",
            Base64Url.EncodeToString([4, .. q.X!, .. q.Y!]),
            Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(16)));
    }
}
