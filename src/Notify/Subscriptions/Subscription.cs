using Notify.Store.Encryption;

namespace Notify.Subscriptions;

/// <summary>A push subscription as the store keeps it: one row an endpoint.</summary>
public sealed class Subscription
{
    /// <summary>As <see cref="Store.NotifyDbContext.NewId"/> makes them, so that new rows go to the end of a clustered index.</summary>
    public Guid Id { get; init; }

    /// <summary>The owner, as the application's tokens name them; compared byte for byte.</summary>
    public required string UserId { get; set; }

    /// <summary>The capability URL to POST to. Never logged, never on the bus.</summary>
    public required string Endpoint { get; init; }

    /// <summary>SHA-256 of the endpoint in base64url, 43 characters: unique, and safe to log. See <see cref="EndpointDigests"/>.</summary>
    public required string EndpointDigest { get; init; }

    /// <summary>The user agent's public key, base64url of 65 bytes (RFC 8291 section 3.1), as <see cref="SecretCipher"/> stores it.</summary>
    public required string P256dh { get; set; }

    /// <summary>The authentication secret, base64url of 16 bytes (RFC 8291 section 3.2), as <see cref="SecretCipher"/> stores it.</summary>
    public required string Auth { get; set; }

    /// <summary>The VAPID public key that the user agent subscribed with, base64url; pushes are signed with its pair.</summary>
    public required string ApplicationServerKey { get; set; }

    /// <summary>The browser's User-Agent header at the last registration, cut to 256 characters.</summary>
    public string? UserAgent { get; set; }

    /// <summary>Counts the changes of owner, keys and <see cref="ExpirationTime"/>, and the ends of <see cref="FailingSince"/> by a registration, so that a cached copy is known to be old.</summary>
    public int Revision { get; private set; }

    /// <summary>When the browser said that the subscription ends; null if it did not say. What is pushed later expires it.</summary>
    public DateTimeOffset? ExpirationTime { get; set; }

    /// <summary>When the push service was first found to fail at it with no acceptance since, to the minute; null if it never was. See <see cref="SubscriptionAgeing"/>.</summary>
    public DateTimeOffset? FailingSince { get; set; }

    /// <summary>When the endpoint was first registered.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When the push service last accepted a push, to about a minute; null if it never did.</summary>
    public DateTimeOffset? LastAcceptedAt { get; init; }

    /// <summary>Gives the subscription to this user, with these keys, stored under the current key.</summary>
    /// <returns>False if they were the user, the keys and the end before.</returns>
    public bool Refresh(string userId, string p256dh, string auth, string? applicationServerKey, DateTimeOffset? expirationTime, SecretCipher cipher)
    {
        var isSame = UserId == userId && ExpirationTime == expirationTime && ApplicationServerKey == (applicationServerKey ?? ApplicationServerKey)
            && cipher.TryDecrypt(P256dh, ContextOf(nameof(P256dh)), out var knownP256dh) && knownP256dh == p256dh
            && cipher.TryDecrypt(Auth, ContextOf(nameof(Auth)), out var knownAuth) && knownAuth == auth;
        if (!isSame || !IsEncryptedWith(cipher))
        {
            StoreKeys(p256dh, auth, cipher);
        }

        // Its browser is there, and a word that it is gone may be on its way.
        if (isSame && FailingSince is null)
        {
            return false;
        }

        (UserId, ApplicationServerKey, ExpirationTime, FailingSince) = (userId, applicationServerKey ?? ApplicationServerKey, expirationTime, null);
        Revision++;
        return !isSame;
    }

    /// <summary>The user agent's keys.</summary>
    /// <exception cref="SecretCipherException">No configured key reads them.</exception>
    public (string P256dh, string Auth) ReadKeys(SecretCipher cipher) => (cipher.Decrypt(P256dh, ContextOf(nameof(P256dh))), cipher.Decrypt(Auth, ContextOf(nameof(Auth))));

    /// <summary>Stores the user agent's keys under the current key.</summary>
    public void StoreKeys(string p256dh, string auth, SecretCipher cipher) =>
        (P256dh, Auth) = (cipher.Encrypt(p256dh, ContextOf(nameof(P256dh))), cipher.Encrypt(auth, ContextOf(nameof(Auth))));

    /// <summary>Whether the keys are stored under the current key.</summary>
    public bool IsEncryptedWith(SecretCipher cipher) => cipher.IsCurrent(P256dh) && cipher.IsCurrent(Auth);

    private string ContextOf(string column) => $"{column}/{EndpointDigest}";
}
