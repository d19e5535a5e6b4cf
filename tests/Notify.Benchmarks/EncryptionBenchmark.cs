using System.Buffers.Text;
using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Notify.WebPush;

namespace Notify.Benchmarks;

/// <summary>One push message encrypted, as PushServiceClient does it for each POST.</summary>
[MemoryDiagnoser]
public class EncryptionBenchmark
{
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
