using System.Collections.Concurrent;
using MassTransit;
using MassTransit.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Notify.Contracts;
using Notify.Dashboard;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.LocalPushService;
using Notify.Messaging;
using Notify.Sending;
using Notify.Store;
using Notify.Subscriptions;
using Notify.Tests.Store;

namespace Notify.Tests.Messaging;

public sealed class MessagingSetupTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_consumers_run_in_a_test_harness_as_they_do_in_the_service()
    {
        await using var store = await TestStore.CreateAsync();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("ConnectionStrings:Notify", store.ConnectionString)]).Build();
        await using var services = new ServiceCollection()
            .AddSingleton<IConfiguration>(configuration)
            .AddSingleton(TimeProvider.System)
            .AddNotifyOptions(new HostingEnvironment { EnvironmentName = Environments.Development })
            .AddNotifyStore(configuration)
            .AddNotifySubscriptions()
            .AddNotifyFanout()
            .AddNotifySending()
            .AddNotifyDeliveries()
            .AddNotifyDashboard()
            .AddMassTransitTestHarness(bus =>
            {
                // By default a harness takes a bus that is silent for a second to be done; the first message of a process may take longer.
                bus.SetTestTimeouts(testInactivityTimeout: TimeSpan.FromSeconds(60), testTimeout: TimeSpan.FromSeconds(60));
                bus.AddNotifyConsumers();
                bus.AddNotifyOutbox(StoreKind.Sqlite);
            })
            .BuildServiceProvider(validateScopes: true);
        await services.GetRequiredService<VapidKeyRing>().LoadAsync(Cancellation);
        // Nothing listens there: what matters is that the command comes through.
        services.GetRequiredService<PushServiceAllowList>().AllowOrigin(new Uri("http://127.0.0.1:9"));
        var push = TestStore.NewPushSubscription("http://127.0.0.1:9/push/1");
        await using (var scope = services.CreateAsyncScope())
        {
            await scope.ServiceProvider.GetRequiredService<SubscriptionRegistry>().RegisterAsync(
                "ada", push, services.GetRequiredService<VapidKeyRing>().Current.PublicKey, null, null, Cancellation);
        }

        var harness = services.GetRequiredService<ITestHarness>();
        await harness.Start();
        var message = new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "Hello", TtlSeconds = 3600 };

        await harness.Bus.Publish(message, Cancellation);

        Assert.True(await harness.Consumed.Any<MessagePosted>(Cancellation));
        Assert.True(await harness.Consumed.Any<UserFanoutPart>(Cancellation));
        Assert.True(await harness.Consumed.Any<SendPush>(sent => sent.Context.Message.MessageId == message.MessageId && sent.Context.Message.UserId == "ada", Cancellation));

        // While the consumers can still be made: what is under way comes to its end.
        await harness.Stop(Cancellation);
    }

    [Fact]
    public async Task No_message_on_the_bus_carries_an_endpoint_or_a_key()
    {
        await using var service = await NotifyService.StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var bodies = new Bodies();
        var bus = service.Services.GetRequiredService<IBusControl>();
        bus.ConnectReceiveObserver(bodies);

        // Nobody else listens to these.
        await bus.ConnectReceiveEndpoint("listener", endpoint =>
        {
            endpoint.Handler<PushAccepted>(_ => Task.CompletedTask);
            endpoint.Handler<PushDeferred>(_ => Task.CompletedTask);
        }).Ready;
        var (subscription, _) = await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 503, RetryAfter = "3600" });
        var messages = Enumerable.Range(0, 3).Select(i => new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = $"{i}" }).ToList();
        foreach (var message in messages)
        {
            await service.PostAsync(message);
        }

        foreach (var message in messages)
        {
            await service.SettledAfterWaitsAsync(message.MessageId, 1);
        }

        // A service that answers gone, so that the events of that are seen too.
        await browser.Agent.UnsubscribeAsync(subscription, Cancellation);
        var last = new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "last" };
        await service.PostAsync(last);
        await service.SettledAfterWaitsAsync(last.MessageId, 1);

        Assert.All(
            ["MessagePosted", "UserFanoutPart", "SendPush", "PushAccepted", "PushDeferred", "PushFailed", "SubscriptionExpired"],
            name => Assert.Contains(bodies.Seen, body => body.Contains(name, StringComparison.Ordinal)));
        string[] secrets = [subscription.Endpoint, subscription.Endpoint[(subscription.Endpoint.LastIndexOf('/') + 1)..], subscription.P256dh, subscription.Auth];
        Assert.All(bodies.Seen, body => Assert.DoesNotContain(secrets, secret => body.Contains(secret, StringComparison.Ordinal)));

        // Nor white space, which MassTransit lays JSON out with.
        Assert.All(bodies.Seen, body => Assert.DoesNotContain('\n', body));
    }

    private sealed class Bodies : IReceiveObserver
    {
        public ConcurrentQueue<string> Seen { get; } = new();

        public Task PreReceive(ReceiveContext context)
        {
            Seen.Enqueue(context.Body.GetString());
            return Task.CompletedTask;
        }

        public Task PostReceive(ReceiveContext context) => Task.CompletedTask;

        public Task PostConsume<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType)
            where T : class => Task.CompletedTask;

        public Task ConsumeFault<T>(ConsumeContext<T> context, TimeSpan duration, string consumerType, Exception exception)
            where T : class => Task.CompletedTask;

        public Task ReceiveFault(ReceiveContext context, Exception exception) => Task.CompletedTask;
    }
}
