using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.IntegrationTests.Brokers;
using Notify.LocalPushService;
using Notify.Messaging;
using Notify.Sending;
using Notify.Store;
using Notify.Tests;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>When the broker is told that a push was handled.</summary>
[Collection("RabbitMQ")]
public sealed class AcknowledgementTests(SharedBrokers brokers)
{
    [Fact]
    public async Task A_push_is_not_acknowledged_before_its_acceptance_is_written_but_its_subscriptions_next_one_is_made_meanwhile()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var management = (await brokers.GetAsync(RabbitMqVersion.V4)).Management;
        var opened = new TaskCompletionSource();
        await using var service = await StartAsync(uri, () => opened.Task);
        await using var browser = await Browser.OpenAsync(service);
        await service.SubscribeAsync(browser.Agent, "ada");

        try
        {
            var messages = new[] { Guid.NewGuid(), Guid.NewGuid() };
            foreach (var message in messages)
            {
                await service.PostAsync(new { messageId = message, recipientIds = new[] { "ada" }, title = "hello" });
            }

            await Eventually.TrueAsync(() => browser.Received.Count == 2);
            await Eventually.GetAsync(() => management.QueuesAsync(uri.AbsolutePath[1..]), queues => queues.Where(IsOfSendStage).Sum(queue => queue.MessagesUnacknowledged) == 2);

            opened.SetResult();
            await Eventually.GetAsync(() => management.QueuesAsync(uri.AbsolutePath[1..]), queues => queues.Where(IsOfSendStage).Sum(queue => queue.Messages) == 0);
            foreach (var message in messages)
            {
                Assert.Equal("accepted", Assert.Single(await service.DeliveriesAsync(message)).GetProperty("state").GetString());
            }

            Assert.Equal(2, browser.Received.Count);
        }
        finally
        {
            opened.TrySetResult();
        }
    }

    [Fact]
    public async Task What_comes_again_because_its_acceptance_was_not_written_is_not_made_after_a_newer_push_that_waits()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var management = (await brokers.GetAsync(RabbitMqVersion.V4)).Management;
        var opened = new TaskCompletionSource();
        await using var service = await StartAsync(uri, () => opened.Task);
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, _) = await service.SubscribeAsync(browser.Agent, "ada");

        try
        {
            await service.PostAsync(new { messageId = Guid.NewGuid(), recipientIds = new[] { "ada" }, tag = "score", title = "old" });
            await Eventually.TrueAsync(() => browser.Received.Count == 1);
            service.Push.Faults.Add(new PushFault { Status = 503, Times = 1 });
            await service.PostAsync(new { messageId = Guid.NewGuid(), recipientIds = new[] { "ada" }, tag = "score", title = "new" });
            await Eventually.TrueAsync(() => service.Push.Status.Faults == 0);

            await Eventually.GetAsync(() => management.CloseConnectionsAsync(uri.AbsolutePath[1..]), closed => closed > 0);
            opened.SetResult();

            await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Contains("new"));
            await Eventually.GetAsync(() => management.QueuesAsync(uri.AbsolutePath[1..]), queues => queues.Where(IsOfSendStage).Sum(queue => queue.Messages) == 0);
            Assert.Equal("new", browser.TitlesOf(subscription).Last());
        }
        finally
        {
            opened.TrySetResult();
        }
    }

    [Fact]
    public async Task A_push_that_waits_is_told_of_before_it_is_held_back_and_one_behind_it_before_it_is_acknowledged()
    {
        var opened = new TaskCompletionSource();
        await using var service = await StartAsync(await brokers.NewVirtualHostAsync(RabbitMqVersion.V4), () => opened.Task);
        await using var browser = await Browser.OpenAsync(service);
        var (_, id) = await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 503, RetryAfter = "3600", Times = 1 });
        var stage = service.Services.GetRequiredService<SendStage>();

        try
        {
            var (first, second) = (new Taken(NewPush(id), StateAsync), new Taken(NewPush(id), StateAsync));
            var handling = stage.HandleAsync(first);
            await Eventually.TrueAsync(() => service.Push.Status.Faults == 0);
            opened.SetResult();
            await handling;
            Assert.Equal(["retrying"], first.Told);

            opened = new TaskCompletionSource();
            await stage.HandleAsync(second);
            Assert.False(Assert.Single(second.KeptUntil).IsCompleted);
            Assert.Null(await StateAsync(second.Push));

            // Whoever was killed in between leaves it in line, and untold.
            var again = new Taken(second.Push, StateAsync);
            await stage.HandleAsync(again);
            opened.SetResult();
            await Assert.Single(again.KeptUntil);
            Assert.Equal("retrying", await StateAsync(second.Push));
        }
        finally
        {
            opened.TrySetResult();
        }

        async Task<string?> StateAsync(SendPush push) => (await service.DeliveriesAsync(push.MessageId)) is [var row] ? row.GetProperty("state").GetString() : null;
    }

    [Fact]
    public async Task What_another_worker_was_given_meanwhile_is_neither_held_back_nor_told_of()
    {
        await using var service = await RabbitMqService.StartAsync(await brokers.NewVirtualHostAsync(RabbitMqVersion.V4));
        await using var browser = await Browser.OpenAsync(service);
        var (_, id) = await service.SubscribeAsync(browser.Agent, "ada");
        service.Push.Faults.Add(new PushFault { Status = 503, Delay = TimeSpan.FromSeconds(2), Times = 1 });
        using var cutOff = new CancellationTokenSource();
        var push = new Taken(NewPush(id), _ => Task.FromResult<string?>(null), cutOff.Token);

        var handling = service.Services.GetRequiredService<SendStage>().HandleAsync(push);
        await Eventually.TrueAsync(() => service.Push.Status.Faults == 0);
        await cutOff.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => handling);
        Assert.Empty(push.Told);
        Assert.Empty(await service.DeliveriesAsync(push.Push.MessageId));
        await using var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(TestContext.Current.CancellationToken);
        Assert.False(await db.WaitingLines.AnyAsync(TestContext.Current.CancellationToken));
    }

    private static SendPush NewPush(Guid subscriptionId) => new()
    {
        SubscriptionId = subscriptionId, UserId = "ada", MessageId = Guid.NewGuid(), Payload = "{}", Urgency = "normal", TtlSeconds = 86_400, ExpiresAt = TimeProvider.System.GetUtcNow().AddDays(1),
    };

    private static Task<NotifyService> StartAsync(Uri broker, Func<Task> opened) => RabbitMqService.StartAsync(broker, null, services => services.AddSingleton(provider => new DeliveryReports(
        provider.GetRequiredService<IBus>(),
        new ClosedStore(provider.GetRequiredService<IDbContextFactory<NotifyDbContext>>(), opened),
        provider.GetRequiredService<IOptions<DeliveryLogOptions>>(),
        new FakeTimeProvider(), // Whose patience has no end.
        NullLogger<DeliveryReports>.Instance)));

    private static bool IsOfSendStage(QueueInfo queue) => queue.Name.StartsWith(Queues.SubscriptionSend, StringComparison.Ordinal);

    private sealed class ClosedStore(IDbContextFactory<NotifyDbContext> store, Func<Task> opened) : IDbContextFactory<NotifyDbContext>
    {
        public NotifyDbContext CreateDbContext() => store.CreateDbContext();

        public async Task<NotifyDbContext> CreateDbContextAsync(CancellationToken cancellationToken)
        {
            await opened().WaitAsync(cancellationToken);
            return await store.CreateDbContextAsync(cancellationToken);
        }
    }

    private sealed class Taken(SendPush push, Func<SendPush, Task<string?>> stateOf, CancellationToken isNotOurs = default) : PushInHand
    {
        public List<Task> KeptUntil { get; } = [];

        /// <summary>What the log says of it whenever it is held back.</summary>
        public List<string?> Told { get; } = [];

        public override SendPush Push => push;

        public override int? AttemptsInLine => null;

        public override bool IsRedelivered => false;

        public override CancellationToken CancellationToken => TestContext.Current.CancellationToken;

        public override CancellationToken IsNotOurs => isNotOurs;

        public override Task PublishAsync<T>(T message) => Task.CompletedTask;

        public override Task PublishIfHeardAsync(PushAccepted accepted) => Task.CompletedTask;

        public override Task PublishIfHeardAsync(PushDeferred deferred) => Task.CompletedTask;

        public override Task KeepUntilAsync(Task told)
        {
            KeptUntil.Add(told);
            return Task.CompletedTask;
        }

        public override async Task RedeliverAsync(int attempts, TimeSpan delay) => Told.Add(await stateOf(push));

        public override Task KeepInErrorQueueAsync(string reason) => Task.CompletedTask;
    }
}
