using MassTransit;
using MassTransit.Clients;
using MassTransit.DependencyInjection;
using MassTransit.Middleware;
using MassTransit.Middleware.Outbox;
using MassTransit.Transports;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;

namespace Notify.Messaging.Outbox;

/// <summary>What <see cref="IPublishEndpoint"/> and <see cref="ISendEndpointProvider"/> of a scope are: outside a consumer, the outbox of the scope's DbContext.</summary>
internal sealed class OutboxBusContextProvider<TDbContext> : IScopedBusContextProvider<IBus>, IDisposable
    where TDbContext : DbContext
{
    private readonly OutboxBusContext<TDbContext>? _outbox;

    public OutboxBusContextProvider(
        IBus bus,
        TDbContext db,
        IBusOutboxNotification notification,
        TimeProvider time,
        Bind<IBus, IClientFactory> clients,
        Bind<IBus, IScopedConsumeContextProvider> ofThisBus,
        IScopedConsumeContextProvider ofAnyBus,
        IServiceProvider services)
    {
        // In a consumer its own context sends, which is an outbox where its receive endpoint has one.
        Context = ofThisBus.Value.HasContext ? new ConsumeContextScopedBusContext(ofThisBus.Value.GetContext(), clients.Value)
            : ofAnyBus.HasContext ? new ConsumeContextScopedBusContext<IBus>(bus, ofAnyBus.GetContext(), clients.Value, services)
            : _outbox = new OutboxBusContext<TDbContext>(bus, db, notification, time, clients.Value, services);
    }

    public ScopedBusContext Context { get; }

    public void Dispose() => _outbox?.Dispose();
}

/// <summary>Adds what is sent to the DbContext, so that it is saved with the rows that were changed, or not at all.</summary>
internal sealed class OutboxBusContext<TDbContext>(
    IBus bus, TDbContext db, IBusOutboxNotification notification, TimeProvider time, IClientFactory clients, IServiceProvider services) : ScopedBusContext, OutboxSendContext, IDisposable
    where TDbContext : DbContext
{
    private readonly Lock _lock = new();
    private EntityEntry<OutboxState>? _state;
    private bool _hasSent;

    public ISendEndpointProvider SendEndpointProvider => field ??= new OutboxSendEndpointProvider(this, bus);

    public IPublishEndpoint PublishEndpoint => field ??= new PublishEndpoint(new OutboxPublishEndpointProvider(this, bus));

    public IScopedClientFactory ClientFactory => field ??= new ScopedClientFactory(new ClientFactory(new ScopedClientFactoryContext(clients, services)), null);

    public Task AddSend<T>(SendContext<T> context)
        where T : class
    {
        var now = time.GetUtcNow().UtcDateTime;

        // Messages are sent concurrently; a DbContext is for one at a time.
        lock (_lock)
        {
            // Saved, or thrown away for another try: what comes now belongs to the next transaction.
            if (_state is not { State: EntityState.Added })
            {
                _state = db.Add(new OutboxState { OutboxId = NewId.NextGuid(), Created = now });
            }

            db.Add(OutboxMessage.Of(context, now, inbox: null, _state.Entity.OutboxId));
            _hasSent = true;
        }

        return Task.CompletedTask;
    }

    public object? GetService(Type serviceType) => services.GetService(serviceType);

    public void Dispose()
    {
        if (_hasSent)
        {
            notification.Delivered();
        }
    }
}
