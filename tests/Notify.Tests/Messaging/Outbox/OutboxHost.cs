using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Notify.Messaging;
using Notify.Messaging.Outbox;
using Notify.Store;
using Notify.Tests.Store;

namespace Notify.Tests.Messaging.Outbox;

/// <summary>A process with a store, a bus and the outbox between them, and nothing else of the service.</summary>
public static class OutboxHost
{
    /// <param name="database">The store.</param>
    /// <param name="delivers">Whether it delivers what is in the outbox.</param>
    /// <param name="addBus">Adds transport and consumers.</param>
    /// <param name="addServices">Adds what else is needed.</param>
    public static IHost Build(TestDatabase database, bool delivers, Action<IBusRegistrationConfigurator> addBus, Action<IServiceCollection>? addServices = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.ClearProviders();
        builder.Configuration["Notify:Store"] = $"{database.Kind}";
        builder.Configuration["ConnectionStrings:Notify"] = database.ConnectionString;
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddNotifyStore(builder.Configuration);
        builder.Services.Configure<MassTransitHostOptions>(options => options.WaitUntilStarted = true);
        builder.Services.AddMassTransit(bus =>
        {
            bus.AddNotifyOutbox(database.Kind);
            addBus(bus);
        });
        if (!delivers)
        {
            builder.Services.Remove(builder.Services.Single(service => service.ImplementationType == typeof(OutboxDelivery<NotifyDbContext>)));
        }

        addServices?.Invoke(builder.Services);
        return builder.Build();
    }
}
