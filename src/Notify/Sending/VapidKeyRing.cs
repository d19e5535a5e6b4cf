using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Store;
using Notify.WebPush;

namespace Notify.Sending;

/// <summary>The key pairs that pushes are signed with: the current one, and older ones that subscriptions still use.</summary>
public sealed class VapidKeyRing(IOptions<VapidOptions> options, IDbContextFactory<NotifyDbContext> store)
{
    private readonly Dictionary<string, VapidKeyPair> _pairs = new(StringComparer.Ordinal);
    private VapidKeyPair? _current;

    /// <summary>The pair that new subscriptions are made with.</summary>
    /// <exception cref="InvalidOperationException">The ring was not loaded yet.</exception>
    public VapidKeyPair Current => _current ?? throw new InvalidOperationException("The VAPID keys are not loaded yet.");

    /// <summary>Whether <see cref="LoadAsync"/> is done.</summary>
    public bool IsLoaded => _current is not null;

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
        using var made = VapidKeyPair.Generate();
        await db.Statements.KeepFirstDevelopmentVapidKeyAsync(made.PublicKey, made.PrivateKey, cancellationToken);
        var kept = await db.DevelopmentVapidKeys.AsNoTracking().SingleAsync(cancellationToken);
        return VapidKeyPair.Import(kept.PublicKey, kept.PrivateKey);
    }
}

/// <summary>The pair that Development made for itself: one row, kept with the subscriptions that depend on it.</summary>
public sealed class DevelopmentVapidKey
{
    /// <summary>Always 1.</summary>
    public int Id { get; init; }

    /// <inheritdoc cref="VapidOptions.PublicKey" />
    public required string PublicKey { get; init; }

    /// <inheritdoc cref="VapidOptions.PrivateKey" />
    public required string PrivateKey { get; init; }
}
