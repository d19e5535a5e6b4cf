using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.Store;

namespace Notify.Tests.Deliveries;

public sealed class DeliveryLogConsumerTests
{
    private static readonly DateTimeOffset At = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_came_over_the_bus_is_written_once_however_often_it_comes()
    {
        await using var service = await NotifyService.StartAsync();
        var accepted = new PushAccepted(Guid.NewGuid(), "ada", Guid.NewGuid(), 1, 201, null, At);
        var waits = new PushDeferred(Guid.NewGuid(), "ada", Guid.NewGuid(), 2, 503, "busy", At.AddHours(1), At);
        var stands = new PushDeferred(waits.SubscriptionId, "ada", Guid.NewGuid(), 0, null, "waits behind an earlier push", At.AddHours(1), At);
        var message = new ReportedPushes([accepted], [waits, stands]);

        await service.Services.GetRequiredService<IBus>().PublishBatch([message, message], Cancellation);

        await using var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation);
        await Eventually.GetAsync(() => db.Deliveries.CountAsync(Cancellation), count => count == 3);
        await Eventually.GetAsync(() => db.DeliveryAttempts.CountAsync(Cancellation), count => count == 1);
        var rows = await db.Deliveries.AsNoTracking().ToDictionaryAsync(row => row.MessageId, Cancellation);
        Assert.Equal((DeliveryState.Accepted, (DateTimeOffset?)null), (rows[accepted.MessageId].State, rows[accepted.MessageId].NextAttemptAt));
        Assert.All(new[] { waits, stands }, push => Assert.Equal((DeliveryState.Retrying, push.Attempts, push.Reason, (DateTimeOffset?)push.NextAttemptAt), StateOf(rows[push.MessageId])));
        var attempt = await db.DeliveryAttempts.AsNoTracking().SingleAsync(Cancellation);
        Assert.Equal((waits.MessageId, 2, 503), (attempt.MessageId, attempt.Attempt, attempt.Status));
    }

    [Fact]
    public async Task What_came_over_the_bus_makes_its_subscription_older_or_young_again()
    {
        await using var service = await NotifyService.StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var (_, failing) = await service.SubscribeAsync(browser.Agent, "ada");
        var (_, alive) = await service.SubscribeAsync(browser.Agent, "ada");
        var bus = service.Services.GetRequiredService<IBus>();

        await bus.Publish(new PushFailed(failing, "ada", Guid.NewGuid(), 5, 503, PushFailureReasons.AttemptsExhausted, At), Cancellation);
        await bus.Publish(new ReportedPushes([new PushAccepted(alive, "ada", Guid.NewGuid(), 1, 201, null, At)], []), Cancellation);

        await using var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation);
        await Eventually.GetAsync(() => db.Subscriptions.AnyAsync(row => row.Id == failing && row.FailingSince != null, Cancellation), isNoted => isNoted);
        await Eventually.GetAsync(() => db.Subscriptions.AnyAsync(row => row.Id == alive && row.LastAcceptedAt == At, Cancellation), isNoted => isNoted);
    }

    private static (DeliveryState State, int Attempts, string? Reason, DateTimeOffset? NextAttemptAt) StateOf(Delivery row) => (row.State, row.Attempts, row.Reason, row.NextAttemptAt);
}
