using Microsoft.EntityFrameworkCore;
using Notify.Messaging.InMemory;
using Notify.Messaging.RabbitMq;
using Notify.Store;

namespace Notify.Dashboard;

/// <summary>
/// Looks for what lies in queues and lines, and counts subscriptions by browser, while somebody looks at the dashboard: every two seconds in the queues, less often in the
/// store, and there never for more than a tenth of the time.
/// </summary>
internal sealed partial class Backlog(
    IServiceProvider services, IDbContextFactory<NotifyDbContext> store, MailboxPushSender mailboxes, Workers workers, TimeProvider time, ILogger<Backlog> logger) : BackgroundService
{
    private static readonly TimeSpan LinesEvery = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan BrowsersEvery = TimeSpan.FromMinutes(5);

    private readonly QueueDepths? _queues = services.GetService<QueueDepths>();
    private int _viewers;
    private volatile LineCounts _lines = new(0, 0, null);
    private DateTimeOffset _linesDue;
    private DateTimeOffset _browsersDue;

    /// <summary>The last that was found; null if nobody has looked for it lately.</summary>
    public BacklogView? Last { get; private set; }

    /// <summary>Subscriptions by browser, most first; null if they have not been counted yet.</summary>
    public IReadOnlyList<BrowserView>? Browsers { get; private set; }

    /// <summary>Says that somebody looks; dispose of what is returned when they go.</summary>
    public IDisposable Watch()
    {
        Interlocked.Increment(ref _viewers);
        return new Viewer(this);
    }

    // The store has a loop of its own: where it is slow or away, what lies in the queues is to be seen all the same.
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        RepeatAsync(
            [LookAsync],
            async () =>
            {
                if (Last is not null)
                {
                    Last = null;
                    await (_queues?.CloseAsync() ?? ValueTask.CompletedTask);
                }
            },
            stoppingToken),
        RepeatAsync([CountLinesAsync, CountBrowsersAsync], () => Task.CompletedTask, stoppingToken));

    private async Task RepeatAsync(Func<CancellationToken, Task>[] looks, Func<Task> close, CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            foreach (var look in Volatile.Read(ref _viewers) > 0 ? looks : [_ => close()])
            {
                await TryAsync(look, stoppingToken);
            }

            await workers.NextAsync(stoppingToken).WaitAsync(2 * WorkerReporter.Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // One that is away must not hide what another has to tell.
    private async Task TryAsync(Func<CancellationToken, Task> look, CancellationToken stoppingToken)
    {
        try
        {
            await look(stoppingToken);
        }
        catch (Exception exception)
        {
            LogUnseen(exception.GetType().Name);
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var queues = await QueuesAsync(_queues?.Way ?? [], cancellationToken);
        var errors = await QueuesAsync(queues.Select(queue => $"{queue.Name}_error").ToList(), cancellationToken);
        var delays = _queues is null ? [] : (await _queues.FindAsync(QueueDepths.Delays.Select(delay => delay.Queue), cancellationToken)).ToDictionary(queue => queue.QueueName, queue => (long)queue.MessageCount);
        Last = new BacklogView(
            time.GetUtcNow(),
            queues,
            [.. QueueDepths.Delays.Where(delay => delays.GetValueOrDefault(delay.Queue) > 0).Select(delay => new RedeliveryView(delay.Delay.TotalSeconds, delays[delay.Queue]))],
            errors.FindAll(queue => queue.Messages > 0),
            mailboxes.Waiting,
            _lines.Lines,
            _lines.Pushes,
            _lines.Next);
    }

    private async Task<List<QueueView>> QueuesAsync(IEnumerable<string> names, CancellationToken cancellationToken) => _queues is null
        ? []
        : [.. (await _queues.FindAsync(names, cancellationToken)).Select(queue => new QueueView(queue.QueueName, StageOf(queue.QueueName), queue.MessageCount, queue.ConsumerCount))];

    private async Task CountLinesAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (now < _linesDue)
        {
            return;
        }

        try
        {
            await using var db = await store.CreateDbContextAsync(cancellationToken);
            _lines = new LineCounts(
                await db.WaitingLines.CountAsync(cancellationToken),
                await db.WaitingPushes.CountAsync(cancellationToken),
                await db.WaitingLines.MinAsync(line => (DateTimeOffset?)line.NextAttemptAt, cancellationToken));
        }
        finally
        {
            _linesDue = NextDue(now, LinesEvery);
        }
    }

    private async Task CountBrowsersAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (now < _browsersDue)
        {
            return;
        }

        try
        {
            await using var db = await store.CreateDbContextAsync(cancellationToken);
            var counts = await db.Subscriptions.GroupBy(subscription => subscription.UserAgent).Select(group => new { UserAgent = group.Key, Count = group.Count() }).ToListAsync(cancellationToken);
            Browsers =
            [
                .. counts.GroupBy(each => BrowserNames.Of(each.UserAgent), (name, each) => new BrowserView(name, each.Sum(one => one.Count)))
                    .OrderByDescending(browser => browser.Subscriptions).ThenBy(browser => browser.Name, StringComparer.Ordinal),
            ];
        }
        finally
        {
            _browsersDue = NextDue(now, BrowsersEvery);
        }
    }

    // However long it takes, a tenth of the time at most.
    private DateTimeOffset NextDue(DateTimeOffset begun, TimeSpan interval)
    {
        var took = time.GetUtcNow() - begun;
        return begun + (10 * took > interval ? 10 * took : interval);
    }

    private static string StageOf(string queue) => queue.LastIndexOf('-') is > 0 and var dash && int.TryParse(queue.AsSpan(dash + 1), out _) ? queue[..dash] : queue;

    [LoggerMessage(LogLevel.Debug, "What lies in the queues and lines could not be looked for ({Reason})")]
    private partial void LogUnseen(string reason);

    private sealed record LineCounts(int Lines, int Pushes, DateTimeOffset? Next);

    private sealed class Viewer(Backlog backlog) : IDisposable
    {
        private int _gone;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _gone, 1) == 0)
            {
                Interlocked.Decrement(ref backlog._viewers);
            }
        }
    }
}
