using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Time.Testing;
using Notify.Operations;
using Notify.Store;

namespace Notify.Tests.Operations;

public sealed class StoreHealthCheckTests
{
    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task However_many_ask_at_once_the_database_is_asked_once_and_a_hanging_one_is_not_waited_for_for_ever()
    {
        await using var well = await Store.TestStore.CreateAsync();
        var store = new HangingStore(well.Factory);
        var check = new StoreHealthCheck(store, _time);

        var answers = Enumerable.Range(0, 100).Select(_ => CheckAsync(check)).ToList();
        await Eventually.TrueAsync(() => store.Asked > 0);
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.All(await Task.WhenAll(answers), answer => Assert.Equal(HealthStatus.Unhealthy, answer.Status));
        Assert.Equal(1, store.Asked);

        // Nor is it waited for once the database is well.
        store.IsHanging = false;
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(check)).Status);
    }

    [Fact]
    public async Task An_answer_is_good_for_a_second()
    {
        await using var store = await Store.TestStore.CreateAsync();
        var counted = new CountedStore(store.Factory);
        var check = new StoreHealthCheck(counted, _time);

        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(check)).Status);
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(check)).Status);
        Assert.Equal(1, counted.Asked);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(check)).Status);
        Assert.Equal(2, counted.Asked);
    }

    private static Task<HealthCheckResult> CheckAsync(StoreHealthCheck check) =>
        check.CheckHealthAsync(new HealthCheckContext { Registration = new HealthCheckRegistration("store", check, HealthStatus.Unhealthy, null) }, Cancellation);

    // One that does not heed that it is given up.
    private sealed class HangingStore(IDbContextFactory<NotifyDbContext> store) : IDbContextFactory<NotifyDbContext>
    {
        private int _asked;

        public int Asked => Volatile.Read(ref _asked);

        public bool IsHanging { get; set; } = true;

        public NotifyDbContext CreateDbContext() => throw new NotSupportedException();

        public Task<NotifyDbContext> CreateDbContextAsync(CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref _asked);
            return IsHanging ? new TaskCompletionSource<NotifyDbContext>().Task : store.CreateDbContextAsync(cancellationToken);
        }
    }

    private sealed class CountedStore(IDbContextFactory<NotifyDbContext> store) : IDbContextFactory<NotifyDbContext>
    {
        public int Asked { get; private set; }

        public NotifyDbContext CreateDbContext() => throw new NotSupportedException();

        public Task<NotifyDbContext> CreateDbContextAsync(CancellationToken cancellationToken = default)
        {
            Asked++;
            return store.CreateDbContextAsync(cancellationToken);
        }
    }
}
