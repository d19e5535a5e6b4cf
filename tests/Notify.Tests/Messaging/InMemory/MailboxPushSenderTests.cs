using System.Collections.Concurrent;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Telemetry;

namespace Notify.Tests.Messaging.InMemory;

/// <summary>What is special to the way of a push on the in-memory bus; the rest is told by <see cref="MainWayTests"/> and others.</summary>
public sealed class MailboxPushSenderTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Acceptances_are_published_once_somebody_listens()
    {
        await using var service = await NotifyService.StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        var bus = service.Services.GetRequiredService<IBusControl>();
        var published = new Published();
        bus.ConnectPublishObserver(published);

        await service.SettledDeliveriesAsync(await PostAsync(service), 1);
        Assert.Empty(published.Acceptances);

        var heard = new TaskCompletionSource<PushAccepted>(TaskCreationOptions.RunContinuationsAsynchronously);
        var listener = bus.ConnectReceiveEndpoint("listener", endpoint => endpoint.Handler<PushAccepted>(context =>
        {
            heard.TrySetResult(context.Message);
            return Task.CompletedTask;
        }));
        await listener.Ready;
        var id = await PostAsync(service);

        Assert.Equal(id, (await heard.Task.WaitAsync(Eventually.Patience, Cancellation)).MessageId);
        Assert.Single(published.Acceptances);

        await listener.StopAsync(Cancellation);
    }

    [Fact]
    public async Task Waits_are_published_once_somebody_listens()
    {
        await using var service = await NotifyService.StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 503, RetryAfter = "3600" });
        var bus = service.Services.GetRequiredService<IBusControl>();
        var published = new Published();
        bus.ConnectPublishObserver(published);

        var first = await PostAsync(service);
        await Eventually.GetAsync(() => service.DeliveriesAsync(first), rows => rows is [var row] && row.GetProperty("state").GetString() == "retrying");
        var metrics = service.Services.GetRequiredService<NotifyMetrics>();
        await Eventually.TrueAsync(() => metrics.InHand.Count == 0);
        Assert.Empty(published.Waits);

        var listener = bus.ConnectReceiveEndpoint("listener", endpoint => endpoint.Handler<PushDeferred>(_ => Task.CompletedTask));
        await listener.Ready;
        var second = await PostAsync(service);

        await Eventually.TrueAsync(() => !published.Waits.IsEmpty);
        Assert.Equal(second, Assert.Single(published.Waits).MessageId);
        await listener.StopAsync(Cancellation);
    }

    [Fact]
    public async Task A_service_that_stops_ends_the_push_that_is_under_way_and_tells_of_it()
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            Guid id;
            await using (var service = await NotifyService.StartAsync(folder, null))
            {
                await using var browser = await Browser.OpenAsync(service);
                await service.SubscribeAsync(browser.Agent, "ada");
                service.Push.Faults.Add(new PushFault { Delay = TimeSpan.FromSeconds(1) });
                id = await PostAsync(service);
                var gates = service.Services.GetRequiredService<Notify.Sending.PushServiceGates>();
                await Eventually.TrueAsync(() => gates.All().Any(gate => gate.InFlight == 1));
            }

            await using var again = await NotifyService.StartAsync(folder, null);
            Assert.Equal("accepted", (await again.DeliveriesAsync(id))[0].GetProperty("state").GetString());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<Guid> PostAsync(NotifyService service)
    {
        var message = new MessagePosted { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "Hello" };
        await service.PostAsync(message);
        return message.MessageId;
    }

    private sealed class Published : IPublishObserver
    {
        public ConcurrentQueue<PushAccepted> Acceptances { get; } = new();

        public ConcurrentQueue<PushDeferred> Waits { get; } = new();

        public Task PrePublish<T>(PublishContext<T> context)
            where T : class
        {
            if (context.Message is PushAccepted accepted)
            {
                Acceptances.Enqueue(accepted);
            }
            else if (context.Message is PushDeferred deferred)
            {
                Waits.Enqueue(deferred);
            }

            return Task.CompletedTask;
        }

        public Task PostPublish<T>(PublishContext<T> context)
            where T : class => Task.CompletedTask;

        public Task PublishFault<T>(PublishContext<T> context, Exception exception)
            where T : class => Task.CompletedTask;
    }
}
