using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Store;
using Notify.Store.Encryption;
using Notify.WebPush;

namespace Notify.Sending;

/// <summary>The key pairs that pushes are signed with: the current one, and older ones that subscriptions still use.</summary>
public sealed class VapidKeyRing(IOptions<VapidOptions> options, IDbContextFactory<NotifyDbContext> store, SecretCipher cipher)
{
    private readonly Dictionary<string, VapidKeyPair> _pairs = new(StringComparer.Ordinal);
    private VapidKeyPair? _current;

    /// <summary>The pair that new subscriptions are made with.</summary>
    /// <exception cref="InvalidOperationException">The ring was not loaded yet.</exception>
    public VapidKeyPair Current => _current ?? throw new InvalidOperationException("The VAPID keys are not loaded yet.");

    /// <summary>Whether <see cref="LoadAsync"/> is done.</summary>
    public bool IsLoaded => _current is not null;

    /// <summary>The current pair and the older ones.</summary>
    public IReadOnlyCollection<VapidKeyPair> All => _pairs.Values;

    /// <summary>The pair of an application server key; null if it is not (or no longer) configured.</summary>
    public VapidKeyPair? Find(string publicKey) => _pairs.GetValueOrDefault(publicKey);

    /// <summary>
    /// Imports the configured pairs. Where none is configured, as Development allows, the one in the store is used, made there by whichever
    /// process comes first.
    /// </summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var vapid = options.Value;
        var current = vapid.PublicKey is { Length: > 0 } publicKey && vapid.PrivateKey is { Length: > 0 } privateKey
            ? VapidKeyPair.Import(publicKey, privateKey)
            : await LoadDevelopmentPairAsync(cancellationToken);
        foreach (var previous in vapid.Previous)
        {
            var pair = VapidKeyPair.Import(previous.PublicKey!, previous.PrivateKey!);
            _pairs[pair.PublicKey] = pair;
        }

        _pairs[current.PublicKey] = current;
        _current = current;
    }

    private async Task<VapidKeyPair> LoadDevelopmentPairAsync(CancellationToken cancellationToken)
    {
        await using var db = await store.CreateDbContextAsync(cancellationToken);
        var pair = await db.InTransactionAsync(
            async () =>
            {
                await db.LockAsync(nameof(DevelopmentVapidKey), cancellationToken);
                if (await db.DevelopmentVapidKeys.SingleOrDefaultAsync(cancellationToken) is { } kept)
                {
                    kept.StorePrivateKey(kept.ReadPrivateKey(cipher), cipher);
                    await db.SaveChangesAsync(cancellationToken);
                    return kept;
                }

                using var made = VapidKeyPair.Generate();
                var first = new DevelopmentVapidKey { Id = 1, PublicKey = made.PublicKey, PrivateKey = made.PrivateKey };
                first.StorePrivateKey(made.PrivateKey, cipher);
                db.DevelopmentVapidKeys.Add(first);
                await db.SaveChangesAsync(cancellationToken);
                return first;
            },
            cancellationToken);
        return VapidKeyPair.Import(pair.PublicKey, pair.ReadPrivateKey(cipher));
    }
}

/// <summary>The pair that Development made for itself: one row, kept with the subscriptions that depend on it.</summary>
public sealed class DevelopmentVapidKey
{
    /// <summary>Always 1.</summary>
    public int Id { get; init; }

    /// <inheritdoc cref="VapidOptions.PublicKey" />
    public required string PublicKey { get; init; }

    /// <summary>Its private scalar, base64url of 32 bytes, as <see cref="SecretCipher"/> stores it.</summary>
    public required string PrivateKey { get; set; }

    internal string ReadPrivateKey(SecretCipher cipher) => cipher.Decrypt(PrivateKey, nameof(DevelopmentVapidKey));

    /// <summary>Stores the private key under the current key, unless it is.</summary>
    internal bool StorePrivateKey(string privateKey, SecretCipher cipher)
    {
        if (cipher.CurrentKeyId is null || (cipher.IsCurrent(PrivateKey) && ReadPrivateKey(cipher) == privateKey))
        {
            return false;
        }

        PrivateKey = cipher.Encrypt(privateKey, nameof(DevelopmentVapidKey));
        return true;
    }
}
