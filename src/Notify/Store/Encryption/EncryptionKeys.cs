using Microsoft.EntityFrameworkCore;

namespace Notify.Store.Encryption;

/// <summary>A key that something in the store may be encrypted with. The key itself is the operator's to keep.</summary>
public sealed class EncryptionKey
{
    /// <summary>The <see cref="SecretCipher"/>'s name for it.</summary>
    public required string Id { get; init; }

    /// <summary>When a worker first started with it.</summary>
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>Holds the configured keys against those that the store was written with: a worker without one of them would take subscriptions for broken.</summary>
internal sealed class EncryptionKeys(IDbContextFactory<NotifyDbContext> store, SecretCipher cipher, TimeProvider time)
{
    /// <summary>Checks the keys, and notes the one that is written with from now on.</summary>
    /// <exception cref="InvalidOperationException">A key is missing.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await using var db = await store.CreateDbContextAsync(cancellationToken);
        await db.InTransactionAsync(
            async () =>
            {
                await db.LockAsync(nameof(EncryptionKey), cancellationToken);
                var known = await db.EncryptionKeys.Select(key => key.Id).ToListAsync(cancellationToken);
                if (known.Except(cipher.KeyIds).ToList() is { Count: > 0 } missing)
                {
                    throw new InvalidOperationException(
                        $"The store holds secrets encrypted with {(missing.Count == 1 ? "a key that is" : "keys that are")} not configured (id {string.Join(", ", missing)}): set Notify__Encryption__Key, or "
                        + "Notify__Encryption__Previous__0 if another is the current one. A key may go once 'encrypt' has run with the new one; docs/store.md says what to do if it is lost.");
                }

                if (cipher.CurrentKeyId is { } current && !known.Contains(current))
                {
                    db.EncryptionKeys.Add(new EncryptionKey { Id = current, CreatedAt = time.GetUtcNow() });
                    await db.SaveChangesAsync(cancellationToken);
                }

                return true;
            },
            cancellationToken);
    }
}
