using System.Collections.Concurrent;
using System.Globalization;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Notify.Contracts;
using Notify.IntegrationTests.Brokers;
using Notify.Messaging.RabbitMq;
using Notify.Store;
using Notify.Tests;
using Notify.Tests.Messaging.Outbox;
using Notify.Tests.Store;

namespace Notify.IntegrationTests.Databases;

/// <summary>Delivery from the outbox in PostgreSQL to RabbitMQ, by several at once.</summary>
[Collection("RabbitMQ")]
public sealed class OutboxDeliveryTests(SharedBrokers brokers, SharedDatabases databases, ITestOutputHelper output)
{
    private const int Conversations = 100;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Several_that_deliver_at_once_keep_the_order_of_every_conversation_and_repeat_nothing() => await MeasureAsync(deliverers: 3, eventsEach: 10);

    /// <summary>The table of docs/evidence.md, by hand: events a second.</summary>
    [Fact(Explicit = true)]
    public async Task Speed_with_one_and_with_three()
    {
        for (var round = 1; round <= 3; round++)
        {
            foreach (var deliverers in new[] { 1, 3 })
            {
                var rate = await MeasureAsync(deliverers, eventsEach: 100);
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| round {round} | {deliverers} | {rate:0} |"));
            }
        }
    }

    private async Task<double> MeasureAsync(int deliverers, int eventsEach)
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var database = (await databases.NewPostgreSqlAsync())!;
        await using var store = await TestStore.CreateAsync(database);
        var came = new ConcurrentQueue<SubscriptionRegistered>();
        var listener = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            RabbitMqAddress.Parse($"{uri}").Configure(rabbit);
            rabbit.ReceiveEndpoint("test-events", endpoint =>
            {
                (endpoint.PrefetchCount, endpoint.ConcurrentMessageLimit) = (256, 1);
                endpoint.SetQuorumQueue();
                endpoint.Handler<SubscriptionRegistered>(context =>
                {
                    came.Enqueue(context.Message);
                    return Task.CompletedTask;
                });
            });
        });
        await listener.StartAsync(Cancellation);

        // All is there before anybody delivers.
        var keys = Enumerable.Range(0, Conversations).Select(_ => Guid.NewGuid()).ToList();
        using (var writer = Build(database, uri, delivers: false))
        {
            await writer.StartAsync(Cancellation);
            for (var number = 0; number < eventsEach; number++)
            {
                await using var scope = writer.Services.CreateAsyncScope();
                foreach (var key in keys)
                {
                    await scope.ServiceProvider.GetRequiredService<IPublishEndpoint>().Publish(new SubscriptionRegistered(key, $"{number}"), context => context.ConversationId = key, Cancellation);
                }

                await scope.ServiceProvider.GetRequiredService<NotifyDbContext>().SaveChangesAsync(Cancellation);
            }

            await writer.StopAsync(Cancellation);
        }

        var hosts = Enumerable.Range(0, deliverers).Select(_ => Build(database, uri, delivers: true)).ToList();
        var started = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(hosts.Select(host => host.StartAsync(Cancellation)));
        await Eventually.GetAsync(() => Task.FromResult(came.Count), count => count >= Conversations * eventsEach, TimeSpan.FromMinutes(5));
        var rate = came.Count / TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        foreach (var host in hosts)
        {
            await host.StopAsync(Cancellation);
            host.Dispose();
        }

        await listener.StopAsync(CancellationToken.None);
        Assert.All(
            came.ToLookup(message => message.SubscriptionId, message => int.Parse(message.UserId, CultureInfo.InvariantCulture)),
            conversation => Assert.Equal(Enumerable.Range(0, eventsEach), conversation));
        return rate;
    }

    private static IHost Build(TestDatabase database, Uri broker, bool delivers) =>
        OutboxHost.Build(database, delivers, bus => bus.UsingRabbitMq((_, rabbit) => RabbitMqAddress.Parse($"{broker}").Configure(rabbit)));
}
