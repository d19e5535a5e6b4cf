using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Sending;
using Notify.Store;
using Notify.Store.Encryption;
using Notify.Telemetry;
using Notify.WebPush;

namespace Notify.Subscriptions;

/// <summary>Adds and removes subscriptions: the row and the event in one transaction, and then the cache, which on a consumer's transaction may be before that is committed: every worker's hears of it once more by the event.</summary>
/// <remarks>Whoever changes owner or keys of a subscription, or deletes it, holds the lock of its endpoint, so that the event tells what the row was before. Events of one subscription carry its id as
/// their conversation's, and so are delivered in their order.</remarks>
public sealed class SubscriptionRegistry(
    NotifyDbContext db, SubscriptionCache cache, VapidKeyRing keys, SecretCipher cipher, IPublishEndpoint bus, NotifyMetrics metrics,
    IOptions<SubscriptionsOptions> options, TimeProvider time)
{
    private const int MaxUserAgentLength = 256;

    /// <summary>Registers a subscription for a user; the same endpoint again refreshes its keys and moves it to this user.</summary>
    /// <param name="userId">The owner from now on.</param>
    /// <param name="subscription">Endpoint and keys.</param>
    /// <param name="applicationServerKey">The key that the browser subscribed with, one of <see cref="VapidKeyRing.All"/>; null if it did not say.</param>
    /// <param name="userAgent">The browser's User-Agent header.</param>
    /// <param name="replaces">An endpoint of the same user that this one takes the place of, if any.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The subscription's id and whether the endpoint is new; null if the user has too many.</returns>
    public async Task<(Guid Id, bool IsNew)?> RegisterAsync(
        string userId, PushSubscription subscription, string? applicationServerKey, string? userAgent, string? replaces, CancellationToken cancellationToken)
    {
        var endpoint = subscription.Endpoint.AbsoluteUri;
        var (digest, id) = (EndpointDigests.Of(endpoint), db.NewId(time.GetUtcNow()));
        var replacedDigest = replaces is null || EndpointDigests.OfText(replaces) == digest ? null : EndpointDigests.OfText(replaces);

        // Kept over a second try: where the first was committed though its answer was lost, the second finds the row this user's.
        string? previousOwner = null;
        var isRemoved = false;
        var registered = await db.InTransactionAsync<(Guid Id, bool IsNew)?>(
            async () =>
            {
                // The user's name too, so that nobody else adds to what is counted here.
                await db.LockAllAsync(new[] { digest, replacedDigest }.OfType<string>().Select(LockOf), cancellationToken);
                await db.LockAsync($"user/{userId}", cancellationToken);
                var replaced = await db.Subscriptions.FirstOrDefaultAsync(known => known.EndpointDigest == replacedDigest && known.UserId == userId, cancellationToken);
                var row = await db.Subscriptions.FirstOrDefaultAsync(known => known.EndpointDigest == digest, cancellationToken);
                var owner = row?.UserId;

                // Whoever has as many already, or more since the limit was lowered, may still refresh and replace them.
                if (owner != userId && replaced is null && await db.Subscriptions.CountAsync(known => known.UserId == userId, cancellationToken) >= options.Value.MaxPerUser)
                {
                    if (row is not null)
                    {
                        // Its browser is another's now, all the same.
                        (previousOwner, isRemoved) = (owner, true);
                        await DeleteAsync(row, cancellationToken);
                    }

                    return null;
                }

                if (replaced is not null)
                {
                    isRemoved = true;
                    await DeleteAsync(replaced, cancellationToken);
                }

                var isRefreshed = row is null || row.Refresh(userId, subscription.P256dh, subscription.Auth, applicationServerKey, subscription.ExpirationTime, cipher);
                row ??= Add(id, userId, endpoint, digest, applicationServerKey ?? keys.Current.PublicKey, subscription);
                row.UserAgent = Cut(userAgent);
                if (owner is not null && owner != userId)
                {
                    previousOwner = owner;
                    await PublishAsync(row.Id, new SubscriptionRemoved(row.Id, owner), cancellationToken);
                }

                // Of refreshed keys too: other workers have the old ones in their caches.
                if (isRefreshed)
                {
                    await PublishAsync(row.Id, new SubscriptionRegistered(row.Id, userId), cancellationToken);
                }

                await db.SaveChangesAsync(cancellationToken);
                return (row.Id, row.Id == id);
            },
            cancellationToken);
        cache.Evict(userId);
        cache.Evict(previousOwner ?? userId);
        if (registered is { IsNew: var isNew })
        {
            metrics.Changed(isNew ? "registered" : "refreshed");
        }

        if (isRemoved)
        {
            metrics.Changed("removed");
        }

        return registered;
    }

    /// <summary>Removes one of the user's subscriptions.</summary>
    /// <returns>False if they have none of this id.</returns>
    public Task<bool> RemoveAsync(string userId, Guid id, CancellationToken cancellationToken) =>
        RemoveAsync(db.Subscriptions.Where(known => known.Id == id && known.UserId == userId), "removed", cancellationToken);

    /// <summary>Removes the user's subscription of this endpoint.</summary>
    /// <returns>False if they have none.</returns>
    public Task<bool> RemoveAsync(string userId, string endpoint, CancellationToken cancellationToken)
    {
        var digest = EndpointDigests.OfText(endpoint);
        return RemoveAsync(db.Subscriptions.Where(known => known.EndpointDigest == digest && known.UserId == userId), "removed", cancellationToken);
    }

    /// <summary>Removes a subscription that is gone, unless it has come back.</summary>
    /// <returns>False if there is none of this id and revision, which happens when it is told twice.</returns>
    internal Task<bool> RemoveExpiredAsync(SubscriptionExpired gone, CancellationToken cancellationToken) =>
        RemoveAsync(db.Subscriptions.Where(known => known.Id == gone.SubscriptionId && (gone.Revision == null || known.Revision == gone.Revision)), "expired", cancellationToken);

    private Subscription Add(Guid id, string userId, string endpoint, string digest, string applicationServerKey, PushSubscription subscription)
    {
        var row = new Subscription
        {
            Id = id,
            UserId = userId,
            Endpoint = endpoint,
            EndpointDigest = digest,
            P256dh = subscription.P256dh,
            Auth = subscription.Auth,
            ExpirationTime = subscription.ExpirationTime,
            ApplicationServerKey = applicationServerKey,
            CreatedAt = time.GetUtcNow(),
        };
        row.StoreKeys(subscription.P256dh, subscription.Auth, cipher);
        return db.Subscriptions.Add(row).Entity;
    }

    private async Task<bool> RemoveAsync(IQueryable<Subscription> which, string change, CancellationToken cancellationToken)
    {
        // Kept over a second try: where the first was committed though its answer was lost, the second finds nothing.
        Subscription? removed = null;
        await db.InTransactionAsync(
            async () =>
            {
                if (await which.Select(known => known.EndpointDigest).FirstOrDefaultAsync(cancellationToken) is not { } digest)
                {
                    return false;
                }

                await db.LockAsync(LockOf(digest), cancellationToken);
                var row = await which.FirstOrDefaultAsync(cancellationToken);
                if (row is not null)
                {
                    removed = row;
                    await DeleteAsync(row, cancellationToken);
                }

                return true;
            },
            cancellationToken);
        if (removed is null)
        {
            return false;
        }

        cache.Evict(removed.UserId);
        metrics.Changed(change);
        return true;
    }

    private async Task DeleteAsync(Subscription row, CancellationToken cancellationToken)
    {
        db.Subscriptions.Remove(row);
        await PublishAsync(row.Id, new SubscriptionRemoved(row.Id, row.UserId), cancellationToken);
        await db.SaveChangesAsync(cancellationToken);
    }

    // Half a character has no UTF-8, and so no place in a store.
    private static string? Cut(string? userAgent) => userAgent is not { Length: > MaxUserAgentLength } ? userAgent
        : userAgent[..(char.IsHighSurrogate(userAgent[MaxUserAgentLength - 1]) ? MaxUserAgentLength - 1 : MaxUserAgentLength)];

    private static string LockOf(string digest) => $"endpoint/{digest}";

    private Task PublishAsync<T>(Guid subscriptionId, T message, CancellationToken cancellationToken)
        where T : class => bus.Publish(message, context => context.ConversationId = subscriptionId, cancellationToken);
}
