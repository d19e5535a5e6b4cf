using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Sending;
using Notify.Store;
using Notify.WebPush;

namespace Notify.Subscriptions;

/// <summary>Adds and removes subscriptions: the row, the cache and the event, in plain sight.</summary>
public sealed class SubscriptionRegistry(
    NotifyDbContext db, SubscriptionCache cache, VapidKeyRing keys, IPublishEndpoint bus, IOptions<SubscriptionsOptions> options, TimeProvider time)
{
    /// <summary>Registers a subscription for a user; the same endpoint again refreshes its keys and moves it to this user.</summary>
    /// <param name="userId">The owner from now on.</param>
    /// <param name="subscription">Endpoint and keys.</param>
    /// <param name="userAgent">The browser's User-Agent header.</param>
    /// <param name="replaces">An endpoint of the same user that this one takes the place of, if any.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The subscription's id and whether the endpoint is new; null if the user has too many.</returns>
    public async Task<(Guid Id, bool IsNew)?> RegisterAsync(
        string userId, PushSubscription subscription, string? userAgent, string? replaces, CancellationToken cancellationToken)
    {
        var endpoint = subscription.Endpoint.AbsoluteUri;
        var row = new Subscription
        {
            Id = Guid.CreateVersion7(time.GetUtcNow()),
            UserId = userId,
            Endpoint = endpoint,
            EndpointDigest = EndpointDigests.Of(endpoint),
            P256dh = subscription.P256dh,
            Auth = subscription.Auth,
            ApplicationServerKey = keys.Current.PublicKey,
            UserAgent = userAgent is { Length: > 256 } ? userAgent[..256] : userAgent,
            CreatedAt = time.GetUtcNow(),
        };

        // Its first statement takes the writer's lock, so that the owner read here is the one that the statement below replaces.
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var previous = await db.Subscriptions.AsNoTracking()
            .Where(known => known.EndpointDigest == row.EndpointDigest)
            .Select(known => new { known.UserId, known.P256dh, known.Auth })
            .FirstOrDefaultAsync(cancellationToken);
        var previousOwner = previous?.UserId;
        var replaced = replaces is null || EndpointDigests.OfText(replaces) == row.EndpointDigest ? null : await DeleteAsync(userId, EndpointDigests.OfText(replaces), cancellationToken);
        if (await db.Statements.UpsertAsync(row, options.Value.MaxPerUser, cancellationToken) is not { } id)
        {
            return null;
        }

        await transaction.CommitAsync(cancellationToken);

        // From here on the caller may hang up: what was committed is made known all the same.
        cache.Evict(userId);
        cache.Evict(previousOwner ?? userId);
        if (replaced is { } gone)
        {
            await bus.Publish(new SubscriptionRemoved(gone, userId), CancellationToken.None);
        }

        if (previousOwner is not null && previousOwner != userId)
        {
            await bus.Publish(new SubscriptionRemoved(id, previousOwner), CancellationToken.None);
        }

        // Of refreshed keys too: other workers have the old ones in their caches.
        if (previousOwner != userId || previous!.P256dh != row.P256dh || previous.Auth != row.Auth)
        {
            await bus.Publish(new SubscriptionRegistered(id, userId), CancellationToken.None);
        }

        return (id, id == row.Id);
    }

    /// <summary>Removes one of the user's subscriptions.</summary>
    /// <returns>False if they have none of this id.</returns>
    public async Task<bool> RemoveAsync(string userId, Guid id, CancellationToken cancellationToken)
    {
        if (await db.Subscriptions.Where(known => known.Id == id && known.UserId == userId).ExecuteDeleteAsync(cancellationToken) == 0)
        {
            return false;
        }

        cache.Evict(userId);
        await bus.Publish(new SubscriptionRemoved(id, userId), CancellationToken.None);
        return true;
    }

    /// <summary>Removes the user's subscription of this endpoint.</summary>
    /// <returns>False if they have none.</returns>
    public async Task<bool> RemoveAsync(string userId, string endpoint, CancellationToken cancellationToken)
    {
        var digest = EndpointDigests.OfText(endpoint);
        var id = await db.Subscriptions
            .Where(known => known.EndpointDigest == digest && known.UserId == userId)
            .Select(known => (Guid?)known.Id)
            .FirstOrDefaultAsync(cancellationToken);
        return id is { } found && await RemoveAsync(userId, found, cancellationToken);
    }

    private async Task<Guid?> DeleteAsync(string userId, string endpointDigest, CancellationToken cancellationToken)
    {
        var mine = db.Subscriptions.Where(known => known.EndpointDigest == endpointDigest && known.UserId == userId);
        var id = await mine.Select(known => (Guid?)known.Id).FirstOrDefaultAsync(cancellationToken);
        await mine.ExecuteDeleteAsync(cancellationToken);
        return id;
    }
}
