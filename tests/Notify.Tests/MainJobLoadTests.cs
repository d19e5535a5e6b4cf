using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.RegularExpressions;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Store;

namespace Notify.Tests;

/// <summary>
/// The main job under load and faults: 10% of the POSTs are answered 503 or 429, 5% of the subscriptions are gone. A tenth of the size by
/// default; with <c>NOTIFY_TEST_LOAD=full</c> ten thousand subscriptions of 500 users and 200 messages of 50 recipients each.
/// </summary>
public sealed partial class MainJobLoadTests(ITestOutputHelper output)
{
    private static readonly bool Full = Environment.GetEnvironmentVariable("NOTIFY_TEST_LOAD") == "full";
    private static readonly int Users = Full ? 500 : 100;
    private static readonly int SubscriptionsPerUser = 20;
    private static readonly int Messages = Full ? 200 : 50;
    private static readonly int RecipientsPerMessage = Full ? 50 : 20;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(Full ? 20 : 5);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_live_subscription_has_each_of_its_messages_exactly_once_and_in_order_and_every_gone_one_is_deleted()
    {
        var random = new Random(20260101);
        var secrets = new Secrets();
        await using var service = await NotifyService.StartAsync(
            null,
            builder => builder.Logging.AddProvider(secrets),

            // As loud as an operator can make it.
            "--Logging:LogLevel:Default=Trace",
            "--Logging:LogLevel:MassTransit=Trace",
            "--Logging:LogLevel:Microsoft.AspNetCore=Trace",
            "--Logging:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics=Trace",
            "--Logging:LogLevel:Microsoft.EntityFrameworkCore=Trace",
            "--Notify:Sending:RetryDelay=00:00:00.2",
            "--Notify:Sending:MaxAttempts=20");
        await using var browser = await Browser.OpenAsync(service);

        // Subscribe everybody; then 5% of the browsers give their subscription up behind the service's back.
        var watch = Stopwatch.StartNew();
        var subscriptions = new Dictionary<LocalSubscription, string>();
        foreach (var user in Enumerable.Range(0, Users).Select(UserId))
        {
            for (var i = 0; i < SubscriptionsPerUser; i++)
            {
                var subscription = (await service.SubscribeAsync(browser.Agent, user)).Subscription;
                secrets.Add(subscription);
                subscriptions.Add(subscription, user);
            }
        }

        var gone = subscriptions.Keys.Where(_ => random.NextDouble() < 0.05).ToHashSet();
        foreach (var subscription in gone)
        {
            await browser.Agent.UnsubscribeAsync(subscription, Cancellation);
        }

        output.WriteLine($"{subscriptions.Count} subscriptions of {Users} users, {gone.Count} of them gone, in {watch.Elapsed.TotalSeconds:0.0} s");
        service.Push.Faults.Add(new PushFault { Status = 503, Probability = 0.05, Times = int.MaxValue });
        service.Push.Faults.Add(new PushFault { Status = 429, RetryAfter = "1", Probability = 0.05, Times = int.MaxValue });

        // Publish.
        watch.Restart();
        var expected = subscriptions.Keys.Except(gone).ToDictionary(subscription => subscription, _ => new List<string>());
        var bus = service.Services.GetRequiredService<IBus>();
        for (var i = 0; i < Messages; i++)
        {
            var recipients = Enumerable.Range(0, Users).OrderBy(_ => random.Next()).Take(RecipientsPerMessage).Select(UserId).ToHashSet();
            await bus.Publish(new MessagePosted { MessageId = Guid.CreateVersion7(), ConversationId = "room", RecipientIds = [.. recipients], Title = $"{i:0000}" }, Cancellation);
            foreach (var (subscription, titles) in expected)
            {
                if (recipients.Contains(subscriptions[subscription]))
                {
                    titles.Add($"{i:0000}");
                }
            }
        }

        // Everything arrives.
        var pushes = expected.Values.Sum(titles => titles.Count);
        await Eventually.GetAsync(() => Task.FromResult(browser.Received.Count), count => count >= pushes, Limit);
        var took = watch.Elapsed;
        var factory = service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>();
        await Eventually.GetAsync(
            async () =>
            {
                await using var db = await factory.CreateDbContextAsync(Cancellation);
                return await db.WaitingLines.CountAsync(Cancellation);
            },
            count => count == 0,
            Limit);
        var received = browser.Received.GroupBy(push => push.Subscription).ToDictionary(group => group.Key, group => group.Select(Browser.TitleOf).ToList());
        Assert.All(expected, pair => Assert.Equal(pair.Value, received.GetValueOrDefault(pair.Key) ?? []));
        Assert.Equal(pushes, browser.Received.Count);
        Assert.DoesNotContain(received.Keys, gone.Contains);

        // Every gone one that was pushed to is deleted, and no other.
        var left = await Eventually.GetAsync(
            async () =>
            {
                await using var db = await factory.CreateDbContextAsync(Cancellation);
                return await db.Subscriptions.Select(row => row.Endpoint).ToListAsync(Cancellation);
            },
            rows => rows.Count == expected.Count,
            Limit);
        Assert.Equal(expected.Keys.Select(subscription => subscription.Endpoint).Order(), left.Order());

        // What became of them is written down.
        var states = await Eventually.GetAsync(
            async () =>
            {
                await using var db = await factory.CreateDbContextAsync(Cancellation);
                return await db.Deliveries.GroupBy(row => row.State).Select(group => new { State = group.Key.ToString(), Count = group.Count() }).ToDictionaryAsync(row => row.State, row => row.Count, Cancellation);
            },
            rows => rows.GetValueOrDefault("Accepted") == pushes && !rows.ContainsKey("Retrying"),
            Limit);

        Assert.Empty(secrets.Leaks);
        Assert.True(secrets.LinesSeen > pushes / 10);
        output.WriteLine($"{pushes} pushes to live subscriptions in {took.TotalSeconds:0.0} s ({pushes / took.TotalSeconds:0}/s), everything in this one process: bus, store, push service, browsers");
        output.WriteLine($"lost 0, twice 0, out of order 0; left in the store {left.Count}; deliveries {string.Join(", ", states.Select(state => $"{state.Key} {state.Value}"))}");
        output.WriteLine($"{secrets.LinesSeen} log lines at every level looked through for {secrets.Count} endpoints and keys: found 0");
    }

    private static string UserId(int index) => $"user-{index}";

    /// <summary>Looks through every log line for an endpoint's path or a key.</summary>
    private sealed partial class Secrets : ILoggerProvider, ILogger
    {
        private readonly ConcurrentDictionary<string, bool> _secrets = new();
        private long _linesSeen;

        public ConcurrentQueue<string> Leaks { get; } = new();

        public int Count => _secrets.Count;

        public long LinesSeen => Interlocked.Read(ref _linesSeen);

        public void Add(LocalSubscription subscription)
        {
            _secrets[subscription.Endpoint[(subscription.Endpoint.LastIndexOf('/') + 1)..]] = true;
            _secrets[subscription.P256dh] = true;
            _secrets[subscription.Auth] = true;
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            Interlocked.Increment(ref _linesSeen);
            var line = $"{formatter(state, exception)} {exception}";
            foreach (Match word in Words().Matches(line))
            {
                if (_secrets.ContainsKey(word.Value))
                {
                    Leaks.Enqueue(line);
                }
            }
        }

        public void Dispose()
        {
        }

        [GeneratedRegex("[A-Za-z0-9_-]{20,}")]
        private static partial Regex Words();
    }
}
