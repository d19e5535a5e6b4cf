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
    public static void AddEntityFrameworkOutbox<TDbContext>(this IBusRegistrationConfigurator bus, Action<IEntityFrameworkOutboxConfigurator>? configure = null)
        where TDbContext : DbContext
    {
        var configurator = new Configurator<TDbContext>(bus);
        configure?.Invoke(configurator);
        configurator.Register();
    }

    /// <summary>Has the consumers of a receive endpoint save what they send with the rows that they change. Call it after the retries, which begin a new transaction each.</summary>
    public static void UseEntityFrameworkOutbox<TDbContext>(this IReceiveEndpointConfigurator endpoint, IRegistrationContext context, Action<IOutboxOptionsConfigurator>? configure = null)
        where TDbContext : DbContext
    {
        var observer = new OutboxConsumePipeSpecificationObserver<TDbContext>(endpoint, context);
        configure?.Invoke(observer);
        endpoint.ConnectConsumerConfigurationObserver(observer);
        endpoint.ConnectSagaConfigurationObserver(observer);
    }

    /// <summary>The database is PostgreSQL, and the DbContext has <see cref="INamedLocks"/>.</summary>
    public static IEntityFrameworkOutboxConfigurator UsePostgres(this IEntityFrameworkOutboxConfigurator outbox) => outbox.With(new NamedLockTurns());

    /// <summary>The database is Microsoft SQL Server, and the DbContext has <see cref="INamedLocks"/>.</summary>
    public static IEntityFrameworkOutboxConfigurator UseSqlServer(this IEntityFrameworkOutboxConfigurator outbox) => outbox.With(new NamedLockTurns());

    /// <summary>The database is SQLite.</summary>
    public static IEntityFrameworkOutboxConfigurator UseSqlite(this IEntityFrameworkOutboxConfigurator outbox) => outbox.With(new FileLockTurns(TimeProvider.System));

    private static IEntityFrameworkOutboxConfigurator With(this IEntityFrameworkOutboxConfigurator outbox, DeliveryTurns turns)
    {
        outbox.DeliveryTurns = turns;
        return outbox;
    }

    private sealed class Configurator<TDbContext>(IBusRegistrationConfigurator bus) : IEntityFrameworkOutboxConfigurator, IEntityFrameworkBusOutboxConfigurator
        where TDbContext : DbContext
    {
        private bool _hasBusOutbox;
        private bool _delivers = true;
        private bool _cleansUp = true;

        public TimeSpan DuplicateDetectionWindow { get; set; } = TimeSpan.FromMinutes(30);

        public TimeSpan QueryDelay { get; set; } = TimeSpan.FromSeconds(1);

        public int QueryMessageLimit { get; set; } = 100;

        public DeliveryTurns DeliveryTurns { get; set; } = new NamedLockTurns();

        public TimeSpan MessageDeliveryTimeout { get; set; } = TimeSpan.FromSeconds(10);

        public void UseBusOutbox(Action<IEntityFrameworkBusOutboxConfigurator>? configure = null)
        {
            _hasBusOutbox = true;
            configure?.Invoke(this);
        }

        public void DisableInboxCleanupService() => _cleansUp = false;

        public void DisableDeliveryService() => _delivers = false;

        public void Register()
        {
            if (DeliveryTurns is NamedLockTurns && !typeof(INamedLocks).IsAssignableFrom(typeof(TDbContext)))
            {
                throw new ConfigurationException($"{typeof(TDbContext).Name} must implement {nameof(INamedLocks)}: processes that deliver take turns by a lock of its database.");
            }

            bus.TryAddSingleton(TimeProvider.System);
            bus.TryAddScoped<IOutboxContextFactory<TDbContext>, OutboxContextFactory<TDbContext>>();
            bus.AddOptions<EntityFrameworkOutboxOptions<TDbContext>>().Configure(options => (options.DeliveryTurns, options.DuplicateDetectionWindow) = (DeliveryTurns, DuplicateDetectionWindow));
            bus.AddOptions<OutboxDeliveryServiceOptions>().Configure(options =>
                (options.QueryDelay, options.QueryMessageLimit, options.MessageDeliveryTimeout) = (QueryDelay, QueryMessageLimit, MessageDeliveryTimeout));
            if (_cleansUp)
            {
                bus.AddHostedService<OutboxCleanup<TDbContext>>();
            }

            bus.TryAddSingleton<IBusOutboxNotification, OutboxNotification>();
            if (_hasBusOutbox)
            {
                bus.Replace(ServiceDescriptor.Scoped<IScopedBusContextProvider<IBus>, OutboxBusContextProvider<TDbContext>>());
            }

            if (_delivers)
            {
                bus.AddHostedService<OutboxDelivery<TDbContext>>();
            }
        }
    }
}
