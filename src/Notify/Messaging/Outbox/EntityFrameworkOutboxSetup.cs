using MassTransit;
using MassTransit.Configuration;
using MassTransit.DependencyInjection;
using MassTransit.Middleware;
using MassTransit.Middleware.Outbox;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Notify.Messaging.Outbox;

/// <summary>Switches the transactional outbox on, with the verbs of MassTransit.EntityFrameworkCore: docs/adr/0009-outbox.md says why it is not that package.</summary>
public static class EntityFrameworkOutboxSetup
{
    /// <summary>Adds the outbox of a DbContext, whose model has <see cref="OutboxModel.AddTransactionalOutboxEntities"/>.</summary>
    /// <exception cref="ConfigurationException">No database is named, or the DbContext lacks <see cref="INamedLocks"/>, which this one needs.</exception>
    public static void AddEntityFrameworkOutbox<TDbContext>(this IBusRegistrationConfigurator bus, Action<EntityFrameworkOutboxConfigurator> configure)
        where TDbContext : DbContext
    {
        var outbox = new EntityFrameworkOutboxConfigurator();
        configure(outbox);
        var turns = outbox.DeliveryTurns ?? throw new ConfigurationException("The outbox must know its database: call UsePostgres, UseSqlServer or UseSqlite.");
        if (turns is NamedLockTurns && !typeof(INamedLocks).IsAssignableFrom(typeof(TDbContext)))
        {
            throw new ConfigurationException($"{typeof(TDbContext).Name} must implement {nameof(INamedLocks)}: processes that deliver take turns by a lock of its database.");
        }

        bus.AddSingleton(turns);
        bus.TryAddSingleton(TimeProvider.System);
        bus.TryAddSingleton<IBusOutboxNotification, OutboxNotification>();
        bus.TryAddScoped<IOutboxContextFactory<TDbContext>, OutboxContextFactory<TDbContext>>();
        bus.AddHostedService<OutboxCleanup<TDbContext>>();
        bus.AddHostedService<OutboxDelivery<TDbContext>>();
        if (outbox.HasBusOutbox)
        {
            bus.Replace(ServiceDescriptor.Scoped<IScopedBusContextProvider<IBus>, OutboxBusContextProvider<TDbContext>>());
        }
    }

    /// <summary>Has the consumers of a receive endpoint save what they send with the rows that they change. Call it after the retries, which begin a new transaction each.</summary>
    public static void UseEntityFrameworkOutbox<TDbContext>(this IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
        where TDbContext : DbContext => endpoint.ConnectConsumerConfigurationObserver(new OutboxConsumePipeSpecificationObserver<TDbContext>(endpoint, context));
}
