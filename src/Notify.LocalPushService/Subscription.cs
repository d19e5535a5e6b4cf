using System.Runtime.InteropServices;

namespace Notify.LocalPushService;

/// <summary>A push subscription as the push service knows it. Its user agent's lock guards what changes.</summary>
internal sealed class Subscription(UserAgent userAgent, string channelId, string endpoint, byte[]? applicationServerKey)
{
    // How many push messages back a reused salt or key is noticed.
    private const int FreshnessWindow = 256;

    private readonly HashSet<UInt128> _used = [];
    private readonly Queue<(UInt128 Salt, UInt128 Key)> _usedInOrder = new();

    public UserAgent UserAgent => userAgent;

    public string ChannelId => channelId;

    public string Endpoint => endpoint;

    /// <summary>The key it is restricted to (RFC 8292, section 4), 65 bytes, or null.</summary>
    public byte[]? ApplicationServerKey => applicationServerKey;

    public bool IsGone { get; set; }

    /// <summary>Not yet acknowledged, oldest first.</summary>
    public List<StoredPush> Pending { get; } = [];

    public bool HasUsed(ReadOnlySpan<byte> body) => _used.Contains(SaltOf(body)) || _used.Contains(KeyOf(body));

    public void MarkUsed(ReadOnlySpan<byte> body)
    {
        if (_usedInOrder.Count == FreshnessWindow)
        {
            (UInt128 oldSalt, UInt128 oldKey) = _usedInOrder.Dequeue();
            _used.Remove(oldSalt);
            _used.Remove(oldKey);
        }

        (UInt128 Salt, UInt128 Key) pair = (SaltOf(body), KeyOf(body));
        _usedInOrder.Enqueue(pair);
        _used.Add(pair.Salt);
        _used.Add(pair.Key);
    }

    public void Forget()
    {
        IsGone = true;
        Pending.Clear();
        _used.Clear();
        _usedInOrder.Clear();
    }

    private static UInt128 SaltOf(ReadOnlySpan<byte> body) => MemoryMarshal.Read<UInt128>(EncryptedBody.Salt(body));

    // Half of x is enough to tell keys apart.
    private static UInt128 KeyOf(ReadOnlySpan<byte> body) => MemoryMarshal.Read<UInt128>(EncryptedBody.KeyId(body)[1..]);
}
