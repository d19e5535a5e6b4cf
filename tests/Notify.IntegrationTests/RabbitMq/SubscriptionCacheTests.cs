using System.Net.Http.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.IntegrationTests.Brokers;
using Notify.LocalPushService;
using Notify.Store;
using Notify.Tests;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>What a worker has not heard of, because it had no connection.</summary>
[Collection("RabbitMQ")]
public sealed class SubscriptionCacheTests(SharedBrokers brokers)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_changed_while_a_worker_had_no_connection_is_read_anew()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var management = (await brokers.GetAsync(RabbitMqVersion.V4)).Management;
        await using var service = await RabbitMqService.StartAsync(uri);
        await using var browser = await LocalUserAgent.ConnectAsync(service.Push.Url, Cancellation);
        await service.SubscribeAsync(browser, "ada");
        Assert.Equal(1, await ReachedAsync(service));

        // Nobody tells the worker of the second.
        var (_, second) = await service.SubscribeAsync(browser, "grace");
        await using (var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation))
        {
            await db.Subscriptions.Where(subscription => subscription.Id == second).ExecuteUpdateAsync(set => set.SetProperty(subscription => subscription.UserId, "ada"), Cancellation);
        }

        Assert.Equal(1, await ReachedAsync(service));

        await Eventually.GetAsync(() => management.CloseConnectionsAsync(uri.AbsolutePath[1..]), closed => closed > 0);

        await Eventually.GetAsync(() => ReachedAsync(service), reached => reached == 2);
    }

    private static async Task<int> ReachedAsync(NotifyService service)
    {
        using var http = service.ClientOf("publisher");
        var id = Guid.NewGuid();
        using var posted = await http.PostAsJsonAsync("api/messages", new MessagePosted { MessageId = id, RecipientIds = ["ada"], Title = "Hello" }, Cancellation);

        // It is not taken while the connection is away.
        return posted.IsSuccessStatusCode ? (await Eventually.GetAsync(() => service.DeliveriesAsync(id), rows => rows.Count > 0)).Count : 0;
    }
}
