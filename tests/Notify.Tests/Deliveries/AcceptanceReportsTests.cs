using System.Collections.Concurrent;
using System.Data.Common;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.Sending;
using Notify.Store;
using Notify.Subscriptions;
using Notify.Telemetry;
using Notify.Tests.Store;

namespace Notify.Tests.Deliveries;

public sealed class AcceptanceReportsTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(1));
    private readonly Commits _commits = new();
    private readonly ConcurrentQueue<PushAccepted> _overTheBus = new();
    private readonly ServiceProvider _metrics = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly IBusControl _bus;
    private TestStore _store = null!;

    public AcceptanceReportsTests() => _bus = Bus.Factory.CreateUsingInMemory(memory => memory.ReceiveEndpoint("log", endpoint => endpoint.Handler<AcceptedPushes>(context =>
    {
        context.Message.Pushes.ToList().ForEach(_overTheBus.Enqueue);
        return Task.CompletedTask;
    })));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _store = await TestStore.CreateAsync(_commits);
        await _bus.StartAsync(Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await _bus.StopAsync(Cancellation);
        await _store.DisposeAsync();
        await _metrics.DisposeAsync();
    }

    [Fact]
    public async Task Many_acceptances_share_a_few_transactions_and_none_is_left_out()
    {
        var accepted = Enumerable.Range(0, 1000).Select(_ => NewAcceptance()).ToList();
        var before = _commits.Begun;
        await using var reports = NewReports();

        await Task.WhenAll(accepted.Select(push => reports.ReportAsync(push, lastAcceptedAt: null)));

        Assert.Equal(accepted.Select(push => push.MessageId).Order(), (await ReadAsync()).Order());
        Assert.InRange(_commits.Begun - before, 1, accepted.Count / 10);
        Assert.Empty(_overTheBus);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData(61, true)]
    [InlineData(59, false)]
    public async Task It_is_noted_on_the_subscription_where_the_last_was_more_than_a_minute_ago(int? seconds, bool isNoted)
    {
        var accepted = NewAcceptance();
        await using (var db = _store.Open())
        {
            db.Add(new Subscription
            {
                Id = accepted.SubscriptionId, UserId = "ada", Endpoint = "https://push.example.com/", EndpointDigest = new string('d', EndpointDigests.Length), P256dh = "key", Auth = "auth", ApplicationServerKey = "key",
            });
            await db.SaveChangesAsync(Cancellation);
        }

        await using var reports = NewReports();
        await reports.ReportAsync(accepted, seconds is null ? null : accepted.At.AddSeconds(-seconds.Value));

        await using var read = _store.Open();
        Assert.Equal(isNoted ? accepted.At : null, (await read.Subscriptions.AsNoTracking().SingleAsync(Cancellation)).LastAcceptedAt);
    }

    [Fact]
    public async Task What_the_store_does_not_take_goes_over_the_bus_and_so_does_what_follows_for_a_while()
    {
        await using var reports = NewReports();
        var (first, second, third) = (NewAcceptance(), NewAcceptance(), NewAcceptance());

        _commits.Failure = new InvalidOperationException("as the test asked");
        await reports.ReportAsync(first, lastAcceptedAt: null);
        _commits.Failure = null;
        await reports.ReportAsync(second, lastAcceptedAt: null);
        await Eventually.TrueAsync(() => _overTheBus.Count == 2);
        Assert.Equal([first, second], _overTheBus);
        Assert.Empty(await ReadAsync());

        _time.Advance(AcceptanceReports.Rest);
        await reports.ReportAsync(third, lastAcceptedAt: null);
        Assert.Equal([third.MessageId], await ReadAsync());
    }

    [Fact]
    public async Task A_store_that_takes_too_long_holds_nothing_up()
    {
        await using var reports = NewReports();
        var accepted = NewAcceptance();
        _commits.Held = new TaskCompletionSource();
        var begun = _commits.Begun;

        var report = reports.ReportAsync(accepted, lastAcceptedAt: null);
        await Eventually.TrueAsync(() => _commits.Begun > begun);
        Assert.False(report.IsCompleted);
        _time.Advance(AcceptanceReports.Patience);
        await report.WaitAsync(Cancellation);
        await Eventually.TrueAsync(() => !_overTheBus.IsEmpty);
        Assert.Equal([accepted], _overTheBus);
        _commits.Held.SetResult();
        await Eventually.GetAsync(ReadAsync, written => written.Count == 1);
    }

    [Fact]
    public async Task What_neither_takes_is_told_to_whoever_reported_it()
    {
        // Never started: a message waits for it, until the reports are given up.
        var bus = Bus.Factory.CreateUsingInMemory(memory => memory.ReceiveEndpoint("log", endpoint => endpoint.Handler<AcceptedPushes>(_ => Task.CompletedTask)));
        _commits.Failure = new InvalidOperationException("as the test asked");
        var reports = NewReports(bus);
        var report = reports.ReportAsync(NewAcceptance(), lastAcceptedAt: null);

        await reports.DisposeAsync();

        await Assert.ThrowsAnyAsync<Exception>(() => report);
    }

    private AcceptanceReports NewReports(IBus? bus = null)
    {
        var metrics = new NotifyMetrics(_metrics.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>(), new PushServiceGates(Options.Create(new SendingOptions()), _time, NullLogger<PushServiceGate>.Instance), _time);
        return new AcceptanceReports(bus ?? _bus, _store.Factory, new DeliveryLog(metrics, Options.Create(new DeliveryLogOptions()), _time), _time, NullLogger<AcceptanceReports>.Instance);
    }

    private PushAccepted NewAcceptance() => new(Guid.NewGuid(), "ada", Guid.NewGuid(), 1, 201, null, _time.GetUtcNow());

    private async Task<List<Guid>> ReadAsync()
    {
        await using var db = _store.Open();
        return await db.Deliveries.AsNoTracking().Select(delivery => delivery.MessageId).ToListAsync(Cancellation);
    }

    /// <summary>Counts commits, and holds them up or fails them where a test asks.</summary>
    private sealed class Commits : DbTransactionInterceptor
    {
        private int _begun;

        public int Begun => Volatile.Read(ref _begun);

        public Exception? Failure { get; set; }

        public TaskCompletionSource? Held { get; set; }

        public override async ValueTask<InterceptionResult> TransactionCommittingAsync(
            DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref _begun);
            if (Failure is not null)
            {
                throw Failure;
            }

            await (Held?.Task ?? Task.CompletedTask);
            return result;
        }
    }
}
