using MassTransit;

namespace Notify.Messaging.Outbox;

/// <summary>Configures the outbox, in the words of MassTransit.EntityFrameworkCore.</summary>
public sealed class EntityFrameworkOutboxConfigurator
{
    internal DeliveryTurns? DeliveryTurns { get; private set; }

    internal bool HasBusOutbox { get; private set; }

    /// <summary>The database is PostgreSQL, and the DbContext has <see cref="INamedLocks"/>.</summary>
    public void UsePostgres() => DeliveryTurns = new NamedLockTurns();

    /// <summary>The database is Microsoft SQL Server, and the DbContext has <see cref="INamedLocks"/>.</summary>
    public void UseSqlServer() => DeliveryTurns = new NamedLockTurns();

    /// <summary>The database is SQLite.</summary>
    public void UseSqlite() => DeliveryTurns = new FileLockTurns();

    /// <summary>
    /// Has what is sent or published outside a consumer, through a scope's <see cref="IPublishEndpoint"/> or <see cref="ISendEndpointProvider"/>, saved with the scope's DbContext
    /// and delivered afterwards.
    /// </summary>
    public void UseBusOutbox() => HasBusOutbox = true;
}
