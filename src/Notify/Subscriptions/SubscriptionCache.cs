using System.ComponentModel;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Options;
using Notify.Store;
using Notify.Store.Encryption;
using Notify.WebPush;

namespace Notify.Subscriptions;

/// <summary>A user's subscriptions, ready to push to.</summary>
/// <param name="UserId">The user.</param>
/// <param name="Subscriptions">Theirs; empty if they have none.</param>
[ImmutableObject(true)]
public sealed record UserSubscriptions(string UserId, IReadOnlyList<TargetSubscription> Subscriptions)
{
    /// <summary>The subscription of this id if it is this user's; null if it is gone or has moved.</summary>
    public TargetSubscription? Find(Guid id)
    {
        foreach (var subscription in Subscriptions)
        {
            if (subscription.Id == id)
            {
                return subscription;
            }
        }

        return null;
    }
}

/// <summary>One subscription with its keys parsed.</summary>
/// <param name="Id">The subscription's id.</param>
/// <param name="Revision">The <see cref="Subscription.Revision"/> that this is.</param>
/// <param name="Push">Its endpoint and keys.</param>
/// <param name="ApplicationServerKey">The VAPID public key it was made with.</param>
/// <param name="ExpirationTime">When it ends; null if its browser did not say.</param>
[ImmutableObject(true)]
public sealed record TargetSubscription(Guid Id, int Revision, PushSubscription Push, string ApplicationServerKey, DateTimeOffset? ExpirationTime);

/// <summary>Looks subscriptions up by user, and keeps what it found until somebody changes them.</summary>
/// <remarks>
/// The key of a cached entry holds a generation that <see cref="Evict"/> moves on, after the change is committed. A look-up that began
/// before the change thus stores its stale result under a key that nobody reads any more. Generations are shared by stripes of users,
/// so memory is constant and an eviction at worst reloads a few neighbours.
/// </remarks>
public sealed partial class SubscriptionCache(
    HybridCache cache, IDbContextFactory<NotifyDbContext> store, SecretCipher cipher, IOptions<SubscriptionsOptions> options, ILogger<SubscriptionCache> logger)
{
    private const int UsersPerQuery = 500;

    private readonly long[] _generations = new long[4096];
    private readonly HybridCacheEntryOptions _entry = new() { Expiration = options.Value.CacheFor, LocalCacheExpiration = options.Value.CacheFor };

    private static readonly HybridCacheEntryOptions PeekOnly = new() { Flags = HybridCacheEntryFlags.DisableUnderlyingData };

    /// <summary>One user's subscriptions.</summary>
    public async ValueTask<UserSubscriptions> GetAsync(string userId, CancellationToken cancellationToken) =>
        await cache.GetOrCreateAsync(
            Key(userId),
            (Cache: this, UserId: userId),
            static async (state, token) => (await state.Cache.LoadAsync([state.UserId], token))[0],
            _entry,
            cancellationToken: cancellationToken);

    /// <summary>A user's subscription as it was at this revision or is now; null if the user has none of this id.</summary>
    public async ValueTask<TargetSubscription?> FindAsync(string userId, Guid id, int revision, CancellationToken cancellationToken)
    {
        var known = (await GetAsync(userId, cancellationToken)).Find(id);
        if (known?.Revision >= revision)
        {
            return known;
        }

        // Another worker has changed it, and its event is still on the way.
        Evict(userId);
        return (await GetAsync(userId, cancellationToken)).Find(id);
    }

    /// <summary>Many users' subscriptions, those not yet in memory by one query for every 500 users.</summary>
    public async Task<IReadOnlyList<UserSubscriptions>> GetManyAsync(IReadOnlyCollection<string> userIds, CancellationToken cancellationToken)
    {
        var found = new List<UserSubscriptions>(userIds.Count);
        var missing = new List<(string UserId, string Key)>();
        foreach (var userId in userIds)
        {
            var key = Key(userId);
            if (await cache.GetOrCreateAsync<UserSubscriptions?>(key, static _ => default, PeekOnly, cancellationToken: cancellationToken) is { } cached)
            {
                found.Add(cached);
            }
            else
            {
                missing.Add((userId, key));
            }
        }

        foreach (var chunk in missing.Chunk(UsersPerQuery))
        {
            var loaded = await LoadAsync([.. chunk.Select(user => user.UserId)], cancellationToken);
            for (var i = 0; i < chunk.Length; i++)
            {
                await cache.SetAsync(chunk[i].Key, loaded[i], _entry, cancellationToken: cancellationToken);
                found.Add(loaded[i]);
            }
        }

        return found;
    }

    /// <summary>Forgets a user's subscriptions; call it after the change is committed.</summary>
    public void Evict(string userId) => Interlocked.Increment(ref Generation(userId));

    /// <summary>Forgets everybody's.</summary>
    public void EvictAll()
    {
        for (var stripe = 0; stripe < _generations.Length; stripe++)
        {
            Interlocked.Increment(ref _generations[stripe]);
        }
    }

    private string Key(string userId) => $"subscriptions/{Volatile.Read(ref Generation(userId))}/{userId}";

    private ref long Generation(string userId) => ref _generations[(uint)string.GetHashCode(userId, StringComparison.Ordinal) % (uint)_generations.Length];

    private async Task<UserSubscriptions[]> LoadAsync(string[] userIds, CancellationToken cancellationToken)
    {
        await using var db = await store.CreateDbContextAsync(cancellationToken);
        var rows = await db.Subscriptions.AsNoTracking()
            .Where(subscription => userIds.Contains(subscription.UserId))
            .OrderBy(subscription => subscription.Id)
            .ToListAsync(cancellationToken);
        var byUser = rows.ToLookup(row => row.UserId, StringComparer.Ordinal);
        return [.. userIds.Select(userId => new UserSubscriptions(userId, [.. byUser[userId].Select(Parse).OfType<TargetSubscription>()]))];
    }

    private TargetSubscription? Parse(Subscription row)
    {
        try
        {
            var (p256dh, auth) = row.ReadKeys(cipher);
            return new(row.Id, row.Revision, PushSubscription.Create(row.Endpoint, p256dh, auth), row.ApplicationServerKey, row.ExpirationTime);
        }
        catch (SecretCipherException)
        {
            LogUnreadable(row.Id, "no encryption key");
            return null;
        }
        catch (PushSubscriptionException exception)
        {
            LogUnreadable(row.Id, exception.Code);
            return null;
        }
    }

    [LoggerMessage(LogLevel.Error, "Subscription {SubscriptionId} in the store cannot be read ({Code}); it is left out until its browser registers again")]
    private partial void LogUnreadable(Guid subscriptionId, string code);
}
