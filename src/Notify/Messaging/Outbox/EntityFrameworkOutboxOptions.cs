using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Notify.Messaging.Outbox;

/// <summary>How the outbox of a DbContext works on its database.</summary>
/// <typeparam name="TDbContext">The DbContext.</typeparam>
public sealed class EntityFrameworkOutboxOptions<TDbContext>
    where TDbContext : DbContext
{
    /// <summary>How processes take turns in delivering.</summary>
    public DeliveryTurns DeliveryTurns { get; set; } = new NamedLockTurns();

    /// <summary>How long a consumed message is known by its id; default 30 minutes.</summary>
    public TimeSpan DuplicateDetectionWindow { get; set; } = TimeSpan.FromMinutes(30);
}

/// <summary>Configures the outbox, in the words of MassTransit.EntityFrameworkCore.</summary>
public interface IEntityFrameworkOutboxConfigurator : ITransactionalOutboxConfigurator
{
    /// <summary>How long a consumed message is known by its id, so that it is not consumed again; default 30 minutes.</summary>
    TimeSpan DuplicateDetectionWindow { get; set; }

    /// <summary>How long until the outbox is looked through for what other processes have left there; default 1 second.</summary>
    TimeSpan QueryDelay { get; set; }

    /// <summary>Messages delivered in one go; default 100.</summary>
    int QueryMessageLimit { get; set; }

    /// <summary>How processes take turns in delivering; default a lock of the database.</summary>
    DeliveryTurns DeliveryTurns { get; set; }

    /// <summary>
    /// Has what is sent or published outside a consumer, through a scope's <see cref="IPublishEndpoint"/> or <see cref="ISendEndpointProvider"/>, saved with the scope's DbContext
    /// and delivered afterwards.
    /// </summary>
    void UseBusOutbox(Action<IEntityFrameworkBusOutboxConfigurator>? configure = null);

    /// <summary>Leaves it to another process to delete what the inbox need not know any more.</summary>
    void DisableInboxCleanupService();
}

/// <summary>Configures the bus outbox, in the words of MassTransit.EntityFrameworkCore.</summary>
public interface IEntityFrameworkBusOutboxConfigurator : IBusOutboxConfigurator
{
    /// <summary>How long the broker may take to confirm the messages of one turn; those that it has not by then are sent again in a later one. Default 10 seconds.</summary>
    TimeSpan MessageDeliveryTimeout { get; set; }
}
