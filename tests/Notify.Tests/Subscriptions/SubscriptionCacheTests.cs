using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Caching.Hybrid;
using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Notify.Store.Encryption;
using Notify.Subscriptions;
using Notify.Tests.Store;

namespace Notify.Tests.Subscriptions;

public sealed class SubscriptionCacheTests : IAsyncLifetime
{
    private readonly ServiceProvider _services;
    private readonly Queries _queries = new();
    private TestStore _store = null!;
    private SubscriptionCache _cache = null!;

    public SubscriptionCacheTests()
    {
        var services = new ServiceCollection();
        services.AddNotifySubscriptions().Configure<SubscriptionsOptions>(options => options.CacheMegabytes = 1);
        _services = services.BuildServiceProvider();
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _store = await TestStore.CreateAsync(_queries);
        _cache = new(_services.GetRequiredService<HybridCache>(), _store.Factory, SecretCipher.None, Options.Create(new SubscriptionsOptions()), NullLogger<SubscriptionCache>.Instance);
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task A_user_is_read_from_the_store_once()
    {
        var id = await AddAsync("ada");
        var before = _queries.Count;

        Assert.Equal(id, Assert.Single((await _cache.GetAsync("ada", Cancellation)).Subscriptions).Id);
        Assert.NotNull((await _cache.GetAsync("ada", Cancellation)).Find(id));

        Assert.Equal(before + 1, _queries.Count);
    }

    [Fact]
    public async Task However_many_users_come_by_the_cache_keeps_to_its_bound()
    {
        var users = Enumerable.Range(0, 30_000).Select(number => $"{number:D256}").ToList();
        await AddAsync(users[^1]);

        var found = await _cache.GetManyAsync(users, Cancellation);

        Assert.Equal(users, found.Select(user => user.UserId));
        Assert.Single(found[^1].Subscriptions);
        Assert.InRange(((MemoryCache)_services.GetRequiredService<IMemoryCache>()).Count, 1, 1024 * 1024 / 256);
    }

    [Fact]
    public async Task Users_are_told_apart_by_case()
    {
        await AddAsync("ada");

        Assert.Empty((await _cache.GetAsync("Ada", Cancellation)).Subscriptions);
    }

    [Fact]
    public async Task Many_users_are_read_by_one_query_and_kept()
    {
        var users = Enumerable.Range(0, 500).Select(i => $"user-{i}").ToList();
        await AddAsync(users[7]);
        var before = _queries.Count;

        var found = await _cache.GetManyAsync(users, Cancellation);

        Assert.Equal(before + 1, _queries.Count);
        Assert.Equal(users, found.Select(user => user.UserId));
        Assert.Single(found[7].Subscriptions);
        await _cache.GetManyAsync(users, Cancellation);
        await _cache.GetAsync(users[7], Cancellation);
        Assert.Equal(before + 1, _queries.Count);
    }

    [Fact]
    public async Task An_eviction_is_seen_at_once()
    {
        await _cache.GetAsync("ada", Cancellation);
        await AddAsync("ada");

        _cache.Evict("ada");

        Assert.Single((await _cache.GetAsync("ada", Cancellation)).Subscriptions);
        Assert.Single(Assert.Single(await _cache.GetManyAsync(["ada"], Cancellation)).Subscriptions);
    }

    [Fact]
    public async Task A_look_up_that_began_before_the_eviction_does_not_bring_the_old_rows_back()
    {
        var id = await AddAsync("ada");
        _queries.PauseNext();
        var early = _cache.GetAsync("ada", Cancellation).AsTask();
        await _queries.Paused;

        await using (var db = _store.Open())
        {
            await db.Subscriptions.Where(row => row.Id == id).ExecuteDeleteAsync(Cancellation);
        }

        _cache.Evict("ada");
        _queries.Resume();
        Assert.Single((await early).Subscriptions);

        Assert.Empty((await _cache.GetAsync("ada", Cancellation)).Subscriptions);
    }

    [Fact]
    public async Task One_that_no_key_reads_is_left_out_and_keeps_nothing_from_the_others()
    {
        await AddAsync("ada", auth: $"v1.{new string('a', 8)}.AAAA");
        var id = await AddAsync("grace");

        var users = await _cache.GetManyAsync(["ada", "grace"], Cancellation);

        Assert.Equal([("ada", []), ("grace", [id])], users.Select(user => (user.UserId, user.Subscriptions.Select(subscription => subscription.Id).ToArray())));
    }

    private async Task<Guid> AddAsync(string userId, string? auth = null)
    {
        var push = TestStore.NewPushSubscription();
        var row = new Subscription
        {
            Id = Guid.CreateVersion7(),
            UserId = userId,
            Endpoint = push.Endpoint.OriginalString,
            EndpointDigest = EndpointDigests.Of(push.Endpoint.OriginalString),
            P256dh = push.P256dh,
            Auth = auth ?? push.Auth,
            ApplicationServerKey = "key",
        };
        await using var db = _store.Open();
        db.Add(row);
        await db.SaveChangesAsync(Cancellation);
        return row.Id;
    }

    /// <summary>Counts queries, and holds one back that has seen the rows as they were.</summary>
    private sealed class Queries : DbCommandInterceptor
    {
        private TaskCompletionSource? _paused;
        private TaskCompletionSource? _resumed;

        public int Count { get; private set; }

        public Task Paused => _paused!.Task;

        public void PauseNext() => (_paused, _resumed) = (new(), new());

        public void Resume() => _resumed!.SetResult();

        public override async ValueTask<DbDataReader> ReaderExecutedAsync(
            DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default)
        {
            Count++;
            if (_paused is { Task.IsCompleted: false })
            {
                _paused.SetResult();
                await _resumed!.Task;
            }

            return result;
        }
    }
}
