using System.Collections.Concurrent;
using System.Data.Common;
using MassTransit;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.Store;
using Notify.Subscriptions;
using Notify.Tests.Store;

namespace Notify.Tests.Deliveries;

public sealed class DeliveryReportsTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddDays(1));
    private readonly Commits _commits = new();
    private readonly Saves _saves = new();
    private readonly ConcurrentQueue<PushAccepted> _overTheBus = new();
    private readonly ConcurrentQueue<PushDeferred> _waitsOverTheBus = new();
    private readonly IBusControl _bus;
    private TestStore _store = null!;

    public DeliveryReportsTests() => _bus = Bus.Factory.CreateUsingInMemory(memory => memory.ReceiveEndpoint("log", endpoint => endpoint.Handler<ReportedPushes>(context =>
    {
        context.Message.Accepted.ToList().ForEach(_overTheBus.Enqueue);
        context.Message.Deferred.ToList().ForEach(_waitsOverTheBus.Enqueue);
        return Task.CompletedTask;
    })));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _store = await TestStore.CreateAsync(_commits, _saves);
        await _bus.StartAsync(Cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        await _bus.StopAsync(Cancellation);
        await _store.DisposeAsync();
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
        Assert.Equal([first.MessageId, second.MessageId], _overTheBus.Select(push => push.MessageId).OrderBy(id => id == second.MessageId));
        Assert.Empty(await ReadAsync());

        _time.Advance(DeliveryReports.Rest);
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

        try
        {
            var report = reports.ReportAsync(accepted, lastAcceptedAt: null);
            await Eventually.TrueAsync(() => _commits.Begun > begun);
            Assert.False(report.IsCompleted);
            _time.Advance(DeliveryReports.Patience);
            await report.WaitAsync(Eventually.Patience, Cancellation);
            await Eventually.TrueAsync(() => !_overTheBus.IsEmpty);
            Assert.Equal([accepted], _overTheBus);
        }
        finally
        {
            // The reports end with their last write.
            _commits.Held.SetResult();
        }

        await Eventually.GetAsync(ReadAsync, written => written.Count == 1);
    }

    [Fact]
    public async Task While_a_write_is_still_under_way_no_other_is_begun()
    {
        await using var reports = NewReports();
        _commits.Held = new TaskCompletionSource();
        var begun = _commits.Begun;
        try
        {
            var first = reports.ReportAsync(NewAcceptance(), lastAcceptedAt: null);
            await Eventually.TrueAsync(() => _commits.Begun > begun);
            _time.Advance(DeliveryReports.Patience);
            await first.WaitAsync(Eventually.Patience, Cancellation);

            // However long it rests.
            _time.Advance(DeliveryReports.Rest);
            await reports.ReportAsync(NewAcceptance(), lastAcceptedAt: null).WaitAsync(Eventually.Patience, Cancellation);

            Assert.Equal(begun + 1, _commits.Begun);
            await Eventually.TrueAsync(() => _overTheBus.Count == 2);
        }
        finally
        {
            _commits.Held.SetResult();
        }
    }

    [Fact]
    public async Task What_neither_takes_is_told_to_whoever_reported_it()
    {
        var published = new NeverPublished();
        using var connected = _bus.ConnectPublishObserver(published);
        _commits.Failure = new SqliteException("as the test asked", 5);
        var reports = NewReports();
        var report = reports.ReportAsync(NewAcceptance(), lastAcceptedAt: null);
        await published.Begun.Task.WaitAsync(Cancellation);

        await reports.DisposeAsync();

        // What the store says would have the push made again.
        Assert.False(StoreAway.IsSaidBy(await Assert.ThrowsAnyAsync<Exception>(() => report)));
    }

    [Fact]
    public async Task What_neither_takes_is_offered_to_both_again_until_one_takes_it()
    {
        var published = new FailsToPublish();
        using var connected = _bus.ConnectPublishObserver(published);
        _commits.Failure = new InvalidOperationException("as the test asked");
        await using var reports = NewReports();
        var (first, second) = (NewAcceptance(), NewAcceptance());

        var report = reports.ReportAsync(first, lastAcceptedAt: null);
        await Eventually.TrueAsync(() => published.Count == 1);
        published.FailsFor = _ => false;
        await PauseUntilAsync(() => report.IsCompletedSuccessfully);
        await Eventually.TrueAsync(() => !_overTheBus.IsEmpty);
        Assert.Equal([first], _overTheBus);

        // The store is not left to its rest where the bus does not help.
        _time.Advance(DeliveryReports.Rest);
        published.FailsFor = _ => true;
        report = reports.ReportAsync(second, lastAcceptedAt: null);
        await Eventually.TrueAsync(() => published.Count == 3);
        _commits.Failure = null;
        await PauseUntilAsync(() => report.IsCompletedSuccessfully, DeliveryReports.Rest / 2);
        Assert.Equal([second.MessageId], await ReadAsync());
    }

    [Fact]
    public async Task A_bus_that_does_not_answer_keeps_nothing_from_a_store_that_is_back()
    {
        var published = new NeverPublished();
        using var connected = _bus.ConnectPublishObserver(published);
        _commits.Failure = new InvalidOperationException("as the test asked");
        await using var reports = NewReports();
        var accepted = NewAcceptance();
        var report = reports.ReportAsync(accepted, lastAcceptedAt: null);
        await published.Begun.Task.WaitAsync(Cancellation);

        _commits.Failure = null;
        await PauseUntilAsync(() => report.IsCompletedSuccessfully);

        Assert.Equal([accepted.MessageId], await ReadAsync());
    }

    [Fact]
    public async Task Acceptances_are_told_in_the_order_in_which_they_were_reported()
    {
        await using var reports = NewReports();
        _commits.Held = new TaskCompletionSource();
        var begun = _commits.Begun;
        var before = reports.ReportAsync(NewAcceptance(), lastAcceptedAt: null);
        await Eventually.TrueAsync(() => _commits.Begun > begun);

        // These gather, and are in two messages, of which the bus takes the second alone.
        var accepted = Enumerable.Range(0, 60).Select(_ => NewAcceptance()).ToList();
        var published = new FailsToPublish { FailsFor = message => message.Accepted.Contains(accepted[0]) };
        using var connected = _bus.ConnectPublishObserver(published);
        var told = accepted.ConvertAll(push => reports.ReportAsync(push, lastAcceptedAt: null));
        _commits.Failure = new InvalidOperationException("as the test asked");
        _commits.Held.SetResult();
        await before;
        await PauseUntilAsync(() => published.Count >= 4);

        Assert.All(told, report => Assert.False(report.IsCompleted));
        Assert.False(reports.ReportedAsync(accepted[^1].SubscriptionId).IsCompleted);
        published.FailsFor = _ => false;
        await PauseUntilAsync(() => told.TrueForAll(report => report.IsCompletedSuccessfully));
        await Eventually.TrueAsync(() => reports.ReportedAsync(accepted[^1].SubscriptionId) == Task.CompletedTask);
    }

    [Fact]
    public async Task Where_no_log_is_kept_only_what_is_news_to_the_subscription_is_written()
    {
        await using var reports = NewReports(isLogKept: false);
        var (accepted, before) = (NewAcceptance(), _commits.Begun);

        await reports.ReportAsync(accepted, lastAcceptedAt: accepted.At);
        Assert.Equal(before, _commits.Begun);
        await reports.ReportAsync(accepted, lastAcceptedAt: null);

        Assert.Equal(before + 1, _commits.Begun);
        Assert.Empty(await ReadAsync());
    }

    [Fact]
    public async Task Waits_are_written_with_the_attempts_before_them()
    {
        await using var reports = NewReports();
        var (tried, stood) = (NewWait(attempts: 2), NewWait(attempts: 0));

        await Task.WhenAll(reports.ReportAsync(tried), reports.ReportAsync(stood));

        await using var db = _store.Open();
        var rows = await db.Deliveries.AsNoTracking().ToDictionaryAsync(row => row.MessageId, Cancellation);
        Assert.Equal((DeliveryState.Retrying, 2, tried.NextAttemptAt), (rows[tried.MessageId].State, rows[tried.MessageId].Attempts, rows[tried.MessageId].NextAttemptAt));
        Assert.Equal((DeliveryState.Retrying, 0, stood.NextAttemptAt), (rows[stood.MessageId].State, rows[stood.MessageId].Attempts, rows[stood.MessageId].NextAttemptAt));
        var attempt = Assert.Single(await db.DeliveryAttempts.AsNoTracking().ToListAsync(Cancellation));
        Assert.Equal((tried.MessageId, tried.SubscriptionId, 2, 503, "busy"), (attempt.MessageId, attempt.SubscriptionId, attempt.Attempt, attempt.Status, attempt.Reason));
    }

    [Fact]
    public async Task An_attempt_that_another_process_writes_at_the_same_moment_is_there_once_and_nothing_goes_over_the_bus()
    {
        await using var reports = NewReports();
        var wait = NewWait(attempts: 1);
        _saves.Before = () => WriteByAnotherAsync(wait);

        await reports.ReportAsync(wait);

        await using var db = _store.Open();
        Assert.Single(await db.DeliveryAttempts.AsNoTracking().ToListAsync(Cancellation));
        Assert.Empty(_waitsOverTheBus);

        async Task WriteByAnotherAsync(PushDeferred push)
        {
            await using var another = _store.Open();
            await another.WriteAttemptsAsync(DeliveryAttempt.Of([push]), Cancellation);
        }
    }

    [Fact]
    public async Task Whatever_follows_a_wait_can_wait_until_that_is_told()
    {
        await using var reports = NewReports();
        var wait = NewWait(attempts: 0);
        _commits.Held = new TaskCompletionSource();

        var report = reports.ReportAsync(wait);
        var reported = reports.ReportedAsync(wait.SubscriptionId);
        Assert.False(reported.IsCompleted);
        _commits.Held.SetResult();

        await reported;
        Assert.True(report.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_push_that_was_accepted_does_not_wait_whatever_is_told_last()
    {
        await using var reports = NewReports();
        var accepted = NewAcceptance();
        var wait = NewWait(attempts: 1) with { MessageId = accepted.MessageId, SubscriptionId = accepted.SubscriptionId };

        // Together, and one after the other.
        await Task.WhenAll(reports.ReportAsync(wait), reports.ReportAsync(accepted, lastAcceptedAt: null), reports.ReportAsync(wait));
        await reports.ReportAsync(wait);

        await using var db = _store.Open();
        Assert.Equal(DeliveryState.Accepted, (await db.Deliveries.AsNoTracking().SingleAsync(Cancellation)).State);
    }

    [Fact]
    public async Task Of_two_of_a_subscription_the_second_is_waited_for_when_the_first_is_told()
    {
        await using var reports = NewReports();
        var first = NewAcceptance();
        var (held, heldToo, begun) = (_commits.Held = new TaskCompletionSource(), new TaskCompletionSource(), _commits.Begun);
        var told = reports.ReportAsync(first, lastAcceptedAt: null);
        await Eventually.TrueAsync(() => _commits.Begun > begun);
        var toldToo = reports.ReportAsync(first with { MessageId = Guid.NewGuid() }, lastAcceptedAt: null);
        _commits.Held = heldToo;
        held.SetResult();
        await told;

        try
        {
            Assert.False(reports.ReportedAsync(first.SubscriptionId).IsCompleted);
        }
        finally
        {
            heldToo.SetResult();
        }

        await toldToo;
    }

    [Fact]
    public async Task Where_no_log_is_kept_what_is_no_news_comes_after_what_was()
    {
        await using var reports = NewReports(isLogKept: false);
        var first = NewAcceptance();
        _commits.Held = new TaskCompletionSource();
        var told = reports.ReportAsync(first, lastAcceptedAt: null);

        var next = reports.ReportAsync(first, lastAcceptedAt: first.At);
        var wait = reports.ReportAsync(NewWait(attempts: 1) with { SubscriptionId = first.SubscriptionId });
        try
        {
            Assert.False(next.IsCompleted);
            Assert.False(wait.IsCompleted);
        }
        finally
        {
            _commits.Held.SetResult();
        }

        await Task.WhenAll(told, next, wait);
    }

    [Fact]
    public async Task Waits_that_the_store_does_not_take_go_over_the_bus_too()
    {
        await using var reports = NewReports();
        var (accepted, wait) = (NewAcceptance(), NewWait(attempts: 1));
        _commits.Failure = new InvalidOperationException("as the test asked");

        await Task.WhenAll(reports.ReportAsync(accepted, lastAcceptedAt: null), reports.ReportAsync(wait));

        await Eventually.TrueAsync(() => !_overTheBus.IsEmpty && !_waitsOverTheBus.IsEmpty);
        Assert.Equal([accepted], _overTheBus);
        Assert.Equal([wait], _waitsOverTheBus);
    }

    [Fact]
    public async Task Where_no_log_is_kept_nobody_is_told_of_waits()
    {
        await using var reports = NewReports(isLogKept: false);
        var before = _commits.Begun;

        await reports.ReportAsync(NewWait(attempts: 1));

        Assert.Equal(before, _commits.Begun);
        Assert.Empty(_waitsOverTheBus);
    }

    private Task PauseUntilAsync(Func<bool> condition, TimeSpan? atMost = null)
    {
        var end = _time.GetUtcNow() + (atMost ?? TimeSpan.FromDays(1));
        return Eventually.TrueAsync(() =>
        {
            if (_time.GetUtcNow() < end)
            {
                _time.Advance(DeliveryReports.Pause);
            }

            return condition();
        });
    }

    private DeliveryReports NewReports(bool isLogKept = true) =>
        new(_bus, _store.Factory, Options.Create(new DeliveryLogOptions { Enabled = isLogKept }), _time, NullLogger<DeliveryReports>.Instance);

    private PushDeferred NewWait(int attempts) =>
        new(Guid.NewGuid(), "ada", Guid.NewGuid(), attempts, attempts > 0 ? 503 : null, attempts > 0 ? "busy" : "waits behind an earlier push", _time.GetUtcNow().AddMinutes(1), _time.GetUtcNow());

    private PushAccepted NewAcceptance() => new(Guid.NewGuid(), "ada", Guid.NewGuid(), 1, 201, null, _time.GetUtcNow());

    private async Task<List<Guid>> ReadAsync()
    {
        await using var db = _store.Open();
        return await db.Deliveries.AsNoTracking().Select(delivery => delivery.MessageId).ToListAsync(Cancellation);
    }

    /// <summary>A bus that takes nothing.</summary>
    private sealed class NeverPublished : IPublishObserver
    {
        public TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task PrePublish<T>(PublishContext<T> context)
            where T : class
        {
            Begun.TrySetResult();
            return Task.Delay(Timeout.InfiniteTimeSpan, context.CancellationToken);
        }

        public Task PostPublish<T>(PublishContext<T> context)
            where T : class => Task.CompletedTask;

        public Task PublishFault<T>(PublishContext<T> context, Exception exception)
            where T : class => Task.CompletedTask;
    }

    /// <summary>A bus that does not take everything.</summary>
    private sealed class FailsToPublish : IPublishObserver
    {
        private int _count;

        public int Count => Volatile.Read(ref _count);

        public Predicate<ReportedPushes> FailsFor { get; set; } = _ => true;

        public Task PrePublish<T>(PublishContext<T> context)
            where T : class
        {
            Interlocked.Increment(ref _count);
            return FailsFor((ReportedPushes)(object)context.Message) ? throw new InvalidOperationException("as the test asked") : Task.CompletedTask;
        }

        public Task PostPublish<T>(PublishContext<T> context)
            where T : class => Task.CompletedTask;

        public Task PublishFault<T>(PublishContext<T> context, Exception exception)
            where T : class => Task.CompletedTask;
    }

    /// <summary>Has something happen once, before anything is saved.</summary>
    private sealed class Saves : SaveChangesInterceptor
    {
        private Func<Task>? _before;

        public Func<Task>? Before
        {
            set => _before = value;
        }

        public override async ValueTask<InterceptionResult<int>> SavingChangesAsync(DbContextEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default)
        {
            if (Interlocked.Exchange(ref _before, null) is { } before)
            {
                await before();
            }

            return result;
        }
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
