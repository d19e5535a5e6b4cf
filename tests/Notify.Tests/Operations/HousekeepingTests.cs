using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Notify.Deliveries;
using Notify.Fanout;
using Notify.Operations;
using Notify.Tests.Store;

namespace Notify.Tests.Operations;

public sealed class HousekeepingTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_past_its_time_is_deleted_and_nothing_else()
    {
        await using var store = await TestStore.CreateAsync();
        var time = new FakeTimeProvider();
        var (old, recent) = (Guid.NewGuid(), Guid.NewGuid());
        await using (var db = store.Open())
        {
            foreach (var (id, at) in new[] { (old, time.GetUtcNow()), (recent, time.GetUtcNow() + TimeSpan.FromMinutes(2)) })
            {
                db.Add(new FannedOutPart { MessageId = id, Count = 1, FannedOutAt = at });
                db.Add(new Delivery { MessageId = id, SubscriptionId = Guid.NewGuid(), UserId = "ada", State = DeliveryState.Accepted, UpdatedAt = at });
            }

            await db.SaveChangesAsync(Cancellation);
        }

        using var housekeeping = new Housekeeping(
            store.Factory,
            Options.Create(new FanoutOptions { DuplicateWindow = TimeSpan.FromHours(1) }),
            Options.Create(new DeliveryLogOptions { KeepFor = TimeSpan.FromHours(1) }),
            time,
            NullLogger<Housekeeping>.Instance);
        time.Advance(TimeSpan.FromMinutes(61));
        await housekeeping.SweepAsync(Cancellation);

        await using var after = store.Open();
        Assert.Equal(recent, Assert.Single(await after.FannedOutParts.ToListAsync(Cancellation)).MessageId);
        Assert.Equal(recent, Assert.Single(await after.Deliveries.ToListAsync(Cancellation)).MessageId);
    }

    [Fact]
    public async Task What_has_piled_up_is_deleted_a_little_at_a_time()
    {
        var deletions = new Deletions();
        await using var store = await TestStore.CreateAsync(deletions);
        var time = new FakeTimeProvider();
        await using (var db = store.Open())
        {
            // Three seconds of each of three minutes, and one that is not past its time.
            db.AddRange(Enumerable.Range(0, 9)
                .Select(i => time.GetUtcNow() + TimeSpan.FromMinutes(i / 3) + TimeSpan.FromSeconds(i % 3))
                .Append(time.GetUtcNow() + TimeSpan.FromHours(2))
                .Select(at => new Delivery { MessageId = Guid.NewGuid(), SubscriptionId = Guid.NewGuid(), UserId = "ada", State = DeliveryState.Accepted, UpdatedAt = at }));
            await db.SaveChangesAsync(Cancellation);
        }

        using var housekeeping = new Housekeeping(
            store.Factory, Options.Create(new FanoutOptions()), Options.Create(new DeliveryLogOptions { KeepFor = TimeSpan.FromHours(1) }), time, NullLogger<Housekeeping>.Instance);
        time.Advance(TimeSpan.FromHours(2));
        await housekeeping.SweepAsync(Cancellation);

        Assert.Equal([3, 3, 3], deletions.Rows);
        await using var after = store.Open();
        Assert.Equal(1, await after.Deliveries.CountAsync(Cancellation));
    }

    [Fact]
    public async Task A_table_that_cannot_be_swept_keeps_no_other_from_being_swept()
    {
        await using var store = await TestStore.CreateAsync(new Unreadable("FannedOutParts"));
        var time = new FakeTimeProvider();
        await using (var db = store.Open())
        {
            db.Add(new Delivery { MessageId = Guid.NewGuid(), SubscriptionId = Guid.NewGuid(), UserId = "ada", State = DeliveryState.Accepted, UpdatedAt = time.GetUtcNow() });
            await db.SaveChangesAsync(Cancellation);
        }

        using var housekeeping = new Housekeeping(store.Factory, Options.Create(new FanoutOptions()), Options.Create(new DeliveryLogOptions()), time, NullLogger<Housekeeping>.Instance);
        time.Advance(TimeSpan.FromDays(8));
        await housekeeping.SweepAsync(Cancellation);

        await using var after = store.Open();
        Assert.Equal(0, await after.Deliveries.CountAsync(Cancellation));
    }

    private sealed class Unreadable(string table) : DbCommandInterceptor
    {
        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default) =>
            command.CommandText.Contains($"FROM \"{table}\"", StringComparison.Ordinal) ? throw new TimeoutException("It takes too long.") : new(result);
    }

    private sealed class Deletions : DbCommandInterceptor
    {
        public List<int> Rows { get; } = [];

        public override ValueTask<int> NonQueryExecutedAsync(DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default)
        {
            if (command.CommandText.StartsWith("DELETE FROM \"Deliveries\"", StringComparison.Ordinal))
            {
                Rows.Add(result);
            }

            return new(result);
        }
    }

    [Fact]
    public async Task It_sweeps_a_minute_after_the_start_and_every_ten_minutes_from_then_on()
    {
        await using var store = await TestStore.CreateAsync();
        var time = new FakeTimeProvider();
        using var housekeeping = new Housekeeping(
            store.Factory, Options.Create(new FanoutOptions { DuplicateWindow = TimeSpan.FromHours(1) }), Options.Create(new DeliveryLogOptions()), time, NullLogger<Housekeeping>.Instance);
        await housekeeping.StartAsync(Cancellation);

        Assert.InRange(await SweepAsync(), 1, 9);
        Assert.InRange(await SweepAsync(), 9, 20);

        await housekeeping.StopAsync(Cancellation);

        async Task<double> SweepAsync()
        {
            var begun = time.GetUtcNow();
            await using var db = store.Open();
            db.Add(new FannedOutPart { MessageId = Guid.NewGuid(), Count = 1, FannedOutAt = begun - TimeSpan.FromHours(1) });
            await db.SaveChangesAsync(Cancellation);
            await Eventually.GetAsync(
                () =>
                {
                    time.Advance(TimeSpan.FromSeconds(5));
                    return db.FannedOutParts.AsNoTracking().CountAsync(Cancellation);
                },
                count => count == 0);
            return (time.GetUtcNow() - begun).TotalMinutes;
        }
    }
}
