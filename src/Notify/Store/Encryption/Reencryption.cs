using Microsoft.EntityFrameworkCore;
using Notify.Subscriptions;

namespace Notify.Store.Encryption;

/// <summary>Brings everything in the store under the current key, while workers go on.</summary>
internal static class Reencryption
{
    private const int RowsPerQuery = 500;

    /// <summary>(1) Encrypts each secret that is plain or under another key, (2) forgets the other keys.</summary>
    /// <returns>How many rows were changed, and how many have been tampered with: those are left out until their browsers register again.</returns>
    public static async Task<(int Changed, int Unreadable)> EncryptAllAsync(NotifyDbContext db, SecretCipher cipher, CancellationToken cancellationToken)
    {
        // 1.
        var (changed, unreadable, after) = (await EncryptDevelopmentKeyAsync(db, cipher, cancellationToken), 0, "");
        while (true)
        {
            var rows = await RowsAfter(db, after).ToListAsync(cancellationToken);
            if (rows.Count == 0)
            {
                break;
            }

            after = rows[^1].EndpointDigest;
            foreach (var row in rows.Where(row => !row.IsEncryptedWith(cipher)))
            {
                try
                {
                    var (p256dh, auth) = row.ReadKeys(cipher);
                    row.StoreKeys(p256dh, auth, cipher);
                }
                catch (SecretCipherException)
                {
                    unreadable++;
                    continue;
                }

                changed += await UpdateAsync(db, row, cancellationToken);
            }
        }

        // 2.
        await db.EncryptionKeys.Where(key => key.Id != cipher.CurrentKeyId).ExecuteDeleteAsync(cancellationToken);
        return (changed, unreadable);
    }

    /// <summary>The next rows in the order of their digests, which have an index and are compared byte for byte.</summary>
    internal static IQueryable<Subscription> RowsAfter(NotifyDbContext db, string digest) =>
#pragma warning disable CA1309 // EF Core translates this form alone.
        db.Subscriptions.AsNoTracking().Where(row => string.Compare(row.EndpointDigest, digest) > 0).OrderBy(row => row.EndpointDigest).Take(RowsPerQuery);
#pragma warning restore CA1309

    // One that got other keys meanwhile has them under the current key.
    private static Task<int> UpdateAsync(NotifyDbContext db, Subscription row, CancellationToken cancellationToken) =>
        db.Subscriptions.Where(known => known.Id == row.Id && known.Revision == row.Revision)
            .ExecuteUpdateAsync(update => update.SetProperty(known => known.P256dh, row.P256dh).SetProperty(known => known.Auth, row.Auth), cancellationToken);

    private static async Task<int> EncryptDevelopmentKeyAsync(NotifyDbContext db, SecretCipher cipher, CancellationToken cancellationToken)
    {
        if (await db.DevelopmentVapidKeys.SingleOrDefaultAsync(cancellationToken) is { } pair && pair.StorePrivateKey(pair.ReadPrivateKey(cipher), cipher))
        {
            return await db.SaveChangesAsync(cancellationToken);
        }

        return 0;
    }
}
