using System.Buffers;
using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Notify.Contracts;
using Notify.Sending;
using Notify.WebPush;

namespace Notify.Deliveries;

/// <summary>
/// Tokens by which a service worker reports what became of one push, without a login: the message, the subscription, and a proof that this service made it for the
/// subscription's owner of the time. They reach the browser inside the encrypted payload, and nobody else.
/// </summary>
/// <remarks>The proof's key is derived from the VAPID pair, which all workers have, and which a token need not outlive: reports by a token that was made with a pair that is configured
/// no more are refused.</remarks>
public sealed class ReceiptTokens(VapidKeyRing keys)
{
    /// <summary>Characters of a token.</summary>
    public const int Length = Bytes / 3 * 4;

    private const int IdLength = 16;
    private const int ProofLength = 16;
    private const int Bytes = (2 * IdLength) + ProofLength;

    private readonly ConcurrentDictionary<string, byte[]> _keys = new(StringComparer.Ordinal);

    /// <summary>The token of a push, the same each time that it is made.</summary>
    public string Create(SendPush push)
    {
        Span<byte> token = stackalloc byte[Bytes];
        push.MessageId.TryWriteBytes(token, bigEndian: true, out _);
        push.SubscriptionId.TryWriteBytes(token[IdLength..], bigEndian: true, out _);
        Prove(keys.Current, token[..(2 * IdLength)], push.UserId, token[(2 * IdLength)..]);
        return Base64Url.EncodeToString(token);
    }

    /// <summary>Reads which push a token names; whether it is genuine only <see cref="IsGenuine"/> tells.</summary>
    public static bool TryRead(string token, out Guid messageId, out Guid subscriptionId)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        if (!TryDecode(token, bytes))
        {
            (messageId, subscriptionId) = (default, default);
            return false;
        }

        messageId = new Guid(bytes[..IdLength], bigEndian: true);
        subscriptionId = new Guid(bytes.Slice(IdLength, IdLength), bigEndian: true);
        return true;
    }

    /// <summary>Whether this service made the token for a push to this user.</summary>
    public bool IsGenuine(string token, string userId)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        if (!TryDecode(token, bytes))
        {
            return false;
        }

        Span<byte> proof = stackalloc byte[ProofLength];
        foreach (var pair in keys.All)
        {
            Prove(pair, bytes[..(2 * IdLength)], userId, proof);
            if (CryptographicOperations.FixedTimeEquals(proof, bytes[(2 * IdLength)..]))
            {
                return true;
            }
        }

        return false;
    }

    // Of several spellings of the same bytes only the one that Create writes counts.
    private static bool TryDecode(string token, Span<byte> bytes) =>
        token.Length == Length && Base64Url.DecodeFromChars(token, bytes, out _, out var written) == OperationStatus.Done && written == Bytes;

    private void Prove(VapidKeyPair pair, ReadOnlySpan<byte> ids, string userId, Span<byte> proof)
    {
        var key = _keys.GetOrAdd(pair.PublicKey, static (_, known) => HKDF.DeriveKey(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(known.PrivateKey), HMACSHA256.HashSizeInBytes, info: "Notify receipts"u8.ToArray()), pair);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, [.. ids, .. Encoding.UTF8.GetBytes(userId)], hash);
        hash[..ProofLength].CopyTo(proof);
    }
}
