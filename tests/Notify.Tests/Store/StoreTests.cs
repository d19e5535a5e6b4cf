using Microsoft.EntityFrameworkCore;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Sending;
using Notify.Subscriptions;

namespace Notify.Tests.Store;

/// <summary>What every store must do alike; run on each.</summary>
public abstract class StoreTests : IAsyncLifetime
{
    private readonly (Guid Message, Guid Subscription) _ids = (Guid.NewGuid(), Guid.NewGuid());
    private TestStore _store = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The database; SQLite if null.</summary>
    protected virtual Task<TestDatabase?> NewDatabaseAsync() => Task.FromResult<TestDatabase?>(null);

    public async ValueTask InitializeAsync() => _store = await TestStore.CreateAsync(await NewDatabaseAsync());

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task Migrations_make_the_schema_that_the_model_has()
    {
        await using var db = _store.Open();

        Assert.Empty(await db.Database.GetPendingMigrationsAsync(Cancellation));
        Assert.False(db.Database.HasPendingModelChanges());
    }

    [Fact]
    public async Task User_ids_and_digests_are_compared_byte_for_byte()
    {
        string[] names = ["ada", "Ada", "ADA", "\u00e4da", "a\u0308da", "ada ", "\u0131da", "ida"];
        string[] digests = [.. names.Select((_, i) => $"{(i % 2 == 0 ? 'a' : 'A')}{i / 2:00}".PadRight(EndpointDigests.Length, '-'))];
        await using var db = _store.Open();
        for (var i = 0; i < names.Length; i++)
        {
            db.Add(Row(names[i], digests[i]));
        }

        await db.SaveChangesAsync(Cancellation);

        foreach (var (name, digest) in names.Zip(digests))
        {
            // SQL Server alone takes spaces at the end for nothing; no user id has any (Policies.IsUserId).
            var found = await db.Subscriptions.AsNoTracking().Where(row => row.UserId == name).ToListAsync(Cancellation);
            Assert.Equal(digest, Assert.Single(found, row => row.UserId == name).EndpointDigest);
            Assert.All(found, row => Assert.Equal(name.Trim(), row.UserId.Trim()));
            Assert.Equal(name, (await db.Subscriptions.AsNoTracking().SingleAsync(row => row.EndpointDigest == digest, Cancellation)).UserId);
        }
    }

    [Fact]
    public async Task A_subscriptions_state_is_whose_it_is_and_what_waits_for_it_even_when_it_is_gone()
    {
        var (at, gone) = (new DateTimeOffset(2026, 5, 1, 6, 30, 0, TimeSpan.Zero), Guid.NewGuid());
        var (idle, busy) = (Row("ada", $"{Guid.NewGuid():N}"), Row("grace", $"{Guid.NewGuid():N}"));
        var line = new WaitingLine { SubscriptionId = busy.Id, Head = 2, HeadMessageId = Guid.NewGuid(), Attempts = 4, NextAttemptAt = at, ReleasedThrough = 5, ReleaseNext = 6 };
        var left = new WaitingLine { SubscriptionId = gone, Head = 1, HeadMessageId = Guid.NewGuid() };
        await using var db = _store.Open();
        db.AddRange(idle, busy, line, left);
        db.Entry(busy).Property(row => row.Revision).CurrentValue = 3;
        db.Entry(busy).Property(row => row.LastAcceptedAt).CurrentValue = at;
        await db.SaveChangesAsync(Cancellation);
        var unknown = Guid.NewGuid();

        var states = await db.FindSubscriptionStatesAsync([idle.Id, busy.Id, gone, unknown]);

        Assert.Equal([idle.Id, busy.Id, gone, unknown], states.Keys);
        Assert.Equal(new SubscriptionState(new SubscriptionStamp("ada", idle.Revision, null), null), states[idle.Id]);
        Assert.Equal(new SubscriptionStamp("grace", 3, at), states[busy.Id].Subscription);
        Assert.Equivalent(line, states[busy.Id].Line, strict: true);
        Assert.Null(states[gone].Subscription);
        Assert.Equal(left.HeadMessageId, states[gone].Line!.HeadMessageId);
        Assert.Equal(new SubscriptionState(null, null), states[unknown]);
    }

    [Fact]
    public async Task The_ledger_knows_a_part_by_its_message_and_its_place_and_no_other()
    {
        await using var ledger = _store.NewLedger();
        var (message, other) = (Guid.NewGuid(), Guid.NewGuid());

        await Task.WhenAll(AddAsync(message, 0, 0), AddAsync(message, 0, 500), AddAsync(message, 500, 500), AddAsync(other, 0, 20));

        Assert.All(await Task.WhenAll(ledger.ContainsAsync(message, 0, 0), ledger.ContainsAsync(message, 500, 500), ledger.ContainsAsync(other, 0, 20)), Assert.True);
        Assert.All(
            await Task.WhenAll(ledger.ContainsAsync(other, 0, 0), ledger.ContainsAsync(other, 500, 500), ledger.ContainsAsync(message, 0, 20), ledger.ContainsAsync(Guid.NewGuid(), 0, 0)),
            Assert.False);

        Task AddAsync(Guid id, int offset, int count) => ledger.AddAsync(new FannedOutPart { MessageId = id, Offset = offset, Count = count, FannedOutAt = DateTimeOffset.UtcNow });
    }

    [Fact]
    public async Task Of_many_parts_that_are_remembered_at_once_only_the_one_that_is_there_already_fails()
    {
        await using var ledger = _store.NewLedger();
        var parts = Enumerable.Range(0, 100).Select(_ => new FannedOutPart { MessageId = Guid.NewGuid(), Count = 1, FannedOutAt = DateTimeOffset.UtcNow }).ToList();
        await ledger.AddAsync(parts[50]);

        var added = parts.ConvertAll(part => ledger.AddAsync(new FannedOutPart { MessageId = part.MessageId, Count = part.Count, FannedOutAt = part.FannedOutAt }));

        await Assert.ThrowsAsync<DbUpdateException>(() => added[50]);
        added.RemoveAt(50);
        await Task.WhenAll(added);

        // The same one several times in one go.
        var twice = Guid.NewGuid();
        var known = Enumerable.Range(0, 20).Select(index => ledger.AddAsync(new FannedOutPart { MessageId = index < 2 ? twice : Guid.NewGuid(), Count = 1, FannedOutAt = DateTimeOffset.UtcNow })).ToList();
        await Task.WhenAny(Task.WhenAll(known), Task.Delay(Timeout.Infinite, Cancellation));
        Assert.Equal(1, known.Count(add => add.IsFaulted));
        Assert.All(await Task.WhenAll(parts.Select(part => ledger.ContainsAsync(part.MessageId, 0, 1))), Assert.True);
    }

    [Theory]
    [InlineData(DeliveryState.Accepted)]
    [InlineData(DeliveryState.Expired)]
    [InlineData(DeliveryState.Failed)]
    public async Task An_end_is_not_overwritten_by_a_wait_that_is_told_late(DeliveryState end)
    {
        await WriteAsync(Delivery(end, attempts: 2, at: DateTimeOffset.UnixEpoch.AddSeconds(1)));
        await WriteAsync(Delivery(DeliveryState.Retrying, attempts: 1, at: DateTimeOffset.UnixEpoch));

        Assert.Equal(end, (await ReadAsync()).State);
    }

    [Fact]
    public async Task A_wait_gives_way_to_a_later_wait_and_to_an_end_but_not_to_an_earlier_wait()
    {
        await WriteAsync(Delivery(DeliveryState.Retrying, attempts: 2));
        await WriteAsync(Delivery(DeliveryState.Retrying, attempts: 1));
        Assert.Equal(2, (await ReadAsync()).Attempts);
        await WriteAsync(Delivery(DeliveryState.Retrying, attempts: 3));
        Assert.Equal(3, (await ReadAsync()).Attempts);

        await WriteAsync(Delivery(DeliveryState.Accepted, attempts: 4));

        Assert.Equal((DeliveryState.Accepted, 4), ((await ReadAsync()).State, (await ReadAsync()).Attempts));
    }

    [Fact]
    public async Task A_failed_push_that_was_put_back_and_accepted_is_accepted_and_nothing_undoes_that()
    {
        await WriteAsync(Delivery(DeliveryState.Failed, attempts: 5));
        await WriteAsync(Delivery(DeliveryState.Expired, attempts: 1));
        Assert.Equal(DeliveryState.Failed, (await ReadAsync()).State);

        await WriteAsync(Delivery(DeliveryState.Accepted, attempts: 1), Delivery(DeliveryState.Failed, attempts: 5));
        await WriteAsync(Delivery(DeliveryState.Failed, attempts: 5));

        Assert.Equal(DeliveryState.Accepted, (await ReadAsync()).State);
    }

    [Fact]
    public async Task Of_a_failed_push_that_was_put_back_what_came_later_counts_and_nothing_that_came_before()
    {
        await WriteAsync(Delivery(DeliveryState.Failed, attempts: 5, at: DateTimeOffset.UnixEpoch));
        await WriteAsync(Delivery(DeliveryState.Retrying, attempts: 4, at: DateTimeOffset.UnixEpoch.AddSeconds(-1)));
        Assert.Equal(DeliveryState.Failed, (await ReadAsync()).State);

        await WriteAsync(Delivery(DeliveryState.Retrying, attempts: 1, at: DateTimeOffset.UnixEpoch.AddHours(1)));
        Assert.Equal((DeliveryState.Retrying, 1), ((await ReadAsync()).State, (await ReadAsync()).Attempts));

        await WriteAsync(Delivery(DeliveryState.Failed, attempts: 2, reason: "rejected", at: DateTimeOffset.UnixEpoch.AddHours(2)));
        await WriteAsync(Delivery(DeliveryState.Failed, attempts: 1, reason: "ttl_expired", at: DateTimeOffset.UnixEpoch.AddHours(3)));
        Assert.Equal("ttl_expired", (await ReadAsync()).Reason);

        await WriteAsync(Delivery(DeliveryState.Expired, attempts: 1, at: DateTimeOffset.UnixEpoch.AddHours(4)), Delivery(DeliveryState.Failed, attempts: 1, at: DateTimeOffset.UnixEpoch.AddHours(4)));
        await WriteAsync(Delivery(DeliveryState.Failed, attempts: 1, at: DateTimeOffset.UnixEpoch.AddHours(5)));
        Assert.Equal(DeliveryState.Expired, (await ReadAsync()).State);
    }

    [Fact]
    public async Task Several_reports_of_one_push_may_come_in_one_go()
    {
        await WriteAsync(Delivery(DeliveryState.Retrying, attempts: 2), Delivery(DeliveryState.Accepted, attempts: 3), Delivery(DeliveryState.Retrying, attempts: 1));

        Assert.Equal((DeliveryState.Accepted, 3), ((await ReadAsync()).State, (await ReadAsync()).Attempts));
    }

    [Fact]
    public async Task Every_column_of_a_delivery_comes_back_as_it_was_written()
    {
        var written = Delivery(DeliveryState.Retrying, attempts: 1, status: 503, reason: "später 🕰", nextAttemptAt: DateTimeOffset.UnixEpoch.AddHours(1));
        await WriteAsync(written);

        var read = await ReadAsync();

        Assert.Equal((written.UserId, written.Status, written.Reason, written.NextAttemptAt, written.UpdatedAt), (read.UserId, read.Status, read.Reason, read.NextAttemptAt, read.UpdatedAt));
    }

    [Fact]
    public async Task Acceptance_is_noted_on_the_subscription_to_the_minute()
    {
        await using (var db = _store.Open())
        {
            db.Add(Row("ada", new string('d', EndpointDigests.Length), _ids.Subscription));
            await db.SaveChangesAsync(Cancellation);
        }

        foreach (var (seconds, expected) in new[] { (0, 0), (59, 0), (120, 120), (30, 120) })
        {
            await WriteAsync(Delivery(DeliveryState.Accepted, attempts: 1, at: DateTimeOffset.UnixEpoch.AddSeconds(seconds)));
            await using var db = _store.Open();
            Assert.Equal(DateTimeOffset.UnixEpoch.AddSeconds(expected), (await db.Subscriptions.AsNoTracking().SingleAsync(Cancellation)).LastAcceptedAt);
        }
    }

    [Fact]
    public async Task Reports_of_the_same_pushes_may_be_written_at_once()
    {
        var messages = Enumerable.Range(0, 50).Select(_ => Guid.NewGuid()).ToList();

        await Task.WhenAll(Enumerable.Range(1, 8).Select(async writer =>
        {
            var rows = messages.Select(message => Delivery(writer == 5 ? DeliveryState.Accepted : DeliveryState.Retrying, attempts: writer, message: message)).ToArray();
            Random.Shared.Shuffle(rows);
            await WriteAsync(rows);
        }));

        await using var db = _store.Open();
        var read = await db.Deliveries.AsNoTracking().ToListAsync(Cancellation);
        Assert.Equal(messages.Count, read.Count);
        Assert.All(read, row => Assert.Equal((DeliveryState.Accepted, 5), (row.State, row.Attempts)));
    }

    [Fact]
    public async Task Of_those_who_lock_a_name_one_at_a_time_is_at_work()
    {
        var (atWork, overlaps) = (0, 0);

        // Each on a thread of its own: SQLite's provider has done its work before it returns a task.
        await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(async () =>
        {
            await using var db = _store.Open();
            await db.InTransactionAsync(
                async () =>
                {
                    await db.LockAsync("name", Cancellation);
                    Interlocked.Add(ref overlaps, Interlocked.Increment(ref atWork) > 1 ? 1 : 0);
                    await db.Subscriptions.CountAsync(Cancellation);
                    return Interlocked.Decrement(ref atWork);
                },
                Cancellation);
        })));

        Assert.Equal(0, overlaps);
    }

    private static Subscription Row(string userId, string digest, Guid? id = null) => new()
    {
        Id = id ?? Guid.NewGuid(), UserId = userId, Endpoint = "https://push.example.com/", EndpointDigest = digest, P256dh = "key", Auth = "auth", ApplicationServerKey = "key",
    };

    private Delivery Delivery(
        DeliveryState state, int attempts, int? status = null, string? reason = null, DateTimeOffset? nextAttemptAt = null, DateTimeOffset? at = null, Guid? message = null) => new()
    {
        MessageId = message ?? _ids.Message,
        SubscriptionId = _ids.Subscription,
        UserId = "ada",
        State = state,
        Attempts = attempts,
        Status = status,
        Reason = reason,
        NextAttemptAt = nextAttemptAt,
        UpdatedAt = at ?? DateTimeOffset.UnixEpoch,
    };

    private async Task WriteAsync(params Delivery[] deliveries)
    {
        await using var db = _store.Open();
        await db.WriteOutcomesAsync(deliveries, deliveries, Cancellation);
    }

    private async Task<Delivery> ReadAsync()
    {
        await using var db = _store.Open();
        return await db.Deliveries.AsNoTracking().SingleAsync(row => row.MessageId == _ids.Message && row.SubscriptionId == _ids.Subscription, Cancellation);
    }
}
