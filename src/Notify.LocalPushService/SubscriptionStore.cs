using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;

namespace Notify.LocalPushService;

/// <summary>All user agents and subscriptions, in memory. Subscriptions that are gone are remembered, to answer 410.</summary>
internal sealed class SubscriptionStore(TimeProvider timeProvider, int maxStoredPerSubscription)
{
    public const string PushPath = "/push/";
    private const int TokenLength = 32;

    private readonly ConcurrentDictionary<string, UserAgent> _userAgents = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Subscription> _byToken = new(StringComparer.Ordinal);
    private long _sequence;

    /// <summary>Scheme, host and port, without a slash at the end; known once the port is.</summary>
    public string Origin { get; set; } = "";

    public TimeProvider TimeProvider => timeProvider;

    public int MaxStoredPerSubscription => maxStoredPerSubscription;

    public Counters Counters { get; } = new();

    public IEnumerable<UserAgent> UserAgents => _userAgents.Values;

    /// <summary>The user agent of that id if there is one, otherwise a new one with a new id.</summary>
    public UserAgent Greet(string? id)
    {
        if (id is not null && _userAgents.TryGetValue(id, out UserAgent? known))
        {
            return known;
        }

        var userAgent = new UserAgent(Guid.NewGuid().ToString("N"), this);
        _userAgents[userAgent.Id] = userAgent;
        return userAgent;
    }

    public Subscription Create(UserAgent userAgent, string channelId, byte[]? applicationServerKey)
    {
        // RFC 8030, section 8.3: a push resource's URL is hard to guess.
        string token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(TokenLength));
        var subscription = new Subscription(userAgent, channelId, $"{Origin}{PushPath}{token}", applicationServerKey);
        _byToken[token] = subscription;
        Counters.SubscriptionAdded();
        return subscription;
    }

    public bool TryFind(ReadOnlySpan<char> token, [NotNullWhen(true)] out Subscription? subscription) =>
        _byToken.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(token, out subscription);

    public StoredPush CreatePush(Subscription subscription, PushHeaders headers, DateTimeOffset now, ReadOnlyMemory<byte> body)
    {
        long sequence = Interlocked.Increment(ref _sequence);
        return new StoredPush(
            subscription, sequence, sequence.ToString(CultureInfo.InvariantCulture), headers.Ttl, now.AddSeconds(headers.Ttl), headers.Topic, body);
    }
}
