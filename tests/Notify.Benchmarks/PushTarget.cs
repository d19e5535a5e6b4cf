using System.Buffers.Text;
using System.Security.Cryptography;
using Notify.WebPush;

namespace Notify.Benchmarks;

/// <summary>What every client of the HTTP table sends: one message, to endpoints as long as FCM's, with headers as long as real ones.</summary>
internal sealed class PushTarget(string origin, int contentLength)
{
    internal const int EndpointCount = 1000;

    private static readonly ECParameters UserAgentKey = CreateKey();

    private readonly VapidTokens _tokens = new("mailto:push@example.com", TimeProvider.System);

    internal VapidTokens Tokens => _tokens;

    internal VapidKeyPair Keys { get; } = VapidKeyPair.Generate();

    internal PushMessage Message { get; } = new(RandomNumberGenerator.GetBytes(contentLength))
    {
        TimeToLive = TimeSpan.FromHours(12),
        Urgency = PushUrgency.High,
        Topic = PushTopic.From("a conversation"),
    };

    internal PushSubscription[] Subscriptions { get; } = [.. Enumerable.Range(0, EndpointCount).Select(_ => PushSubscription.Create(
        $"{origin}/fcm/send/{RandomText(8)}:APA91b{RandomText(100)}",
        Base64Url.EncodeToString([4, .. UserAgentKey.Q.X!, .. UserAgentKey.Q.Y!]),
        RandomText(16)))];

    /// <summary>A body as long as the message's; the server does not look into it.</summary>
    internal byte[] Encrypted { get; } = RandomNumberGenerator.GetBytes(ContentEncryption.GetEncryptedLength(contentLength));

    /// <summary>The headers that PushServiceClient sends, for others to send.</summary>
    internal IEnumerable<(string Name, string Value)> Headers =>
    [
        ("Authorization", _tokens.GetAuthorization(Subscriptions[0].Endpoint, Keys)),
        ("TTL", "43200"),
        ("Urgency", "high"),
        ("Topic", Message.Topic!),
        .. ContentHeaders,
    ];

    internal static IEnumerable<(string Name, string Value)> ContentHeaders =>
        [("Content-Type", "application/octet-stream"), ("Content-Encoding", "aes128gcm")];

    private static string RandomText(int bytes) => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(bytes));

    private static ECParameters CreateKey()
    {
        using var key = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        return key.ExportParameters(includePrivateParameters: false);
    }
}
