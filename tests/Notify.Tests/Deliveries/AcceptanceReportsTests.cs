using System.Collections.Concurrent;
using MassTransit;
using Notify.Contracts;
using Notify.Deliveries;

namespace Notify.Tests.Deliveries;

public sealed class AcceptanceReportsTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Many_acceptances_share_a_few_messages_and_none_is_left_out()
    {
        var messages = new ConcurrentQueue<AcceptedPushes>();
        var bus = Bus.Factory.CreateUsingInMemory(memory => memory.ReceiveEndpoint("log", endpoint => endpoint.Handler<AcceptedPushes>(context =>
        {
            messages.Enqueue(context.Message);
            return Task.CompletedTask;
        })));
        await bus.StartAsync(Cancellation);
        var accepted = Enumerable.Range(0, 1000).Select(_ => new PushAccepted(Guid.NewGuid(), "ada", Guid.NewGuid(), 1, 201, null, DateTimeOffset.UtcNow)).ToList();
        await using (var reports = new AcceptanceReports(bus))
        {
            await Task.WhenAll(accepted.Select(reports.ReportAsync));
        }

        await Eventually.TrueAsync(() => messages.Sum(message => message.Pushes.Count) == accepted.Count);
        Assert.Equal(accepted.Select(push => push.MessageId).Order(), messages.SelectMany(message => message.Pushes).Select(push => push.MessageId).Order());
        Assert.InRange(messages.Count, 1, accepted.Count / 10);
        await bus.StopAsync(Cancellation);
    }

    [Fact]
    public async Task What_the_bus_does_not_take_is_told_to_whoever_reported_it()
    {
        // Never started: a message waits for it, until the reports are given up.
        var bus = Bus.Factory.CreateUsingInMemory(memory => memory.ReceiveEndpoint("log", endpoint => endpoint.Handler<AcceptedPushes>(_ => Task.CompletedTask)));
        var reports = new AcceptanceReports(bus);
        var report = reports.ReportAsync(new PushAccepted(Guid.NewGuid(), "ada", Guid.NewGuid(), 1, 201, null, DateTimeOffset.UtcNow));

        await reports.DisposeAsync();

        await Assert.ThrowsAnyAsync<Exception>(() => report);
    }
}
