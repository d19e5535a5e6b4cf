using System.Collections.Concurrent;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Sending;
using Notify.Store;

namespace Notify.Deliveries;

/// <summary>What became of many pushes, on its way to the delivery log by the bus.</summary>
/// <param name="Accepted">Those that were accepted.</param>
/// <param name="Deferred">Those that wait.</param>
public sealed record ReportedPushes(IReadOnlyList<PushAccepted> Accepted, IReadOnlyList<PushDeferred> Deferred);

/// <summary>
/// Tells the delivery log of acceptances, which is what nearly every push ends with, and of waits, which are as many where a push service is down: writes many at once to the
/// store. What the store does not take at once goes over the bus, so that no push waits for a slow store to be acknowledged. They are told in the order in which they were reported.
/// </summary>
/// <remarks>Other consumers get an event for each push: <see cref="PushInHand.PublishIfHeardAsync(PushAccepted)"/>.</remarks>
public sealed partial class DeliveryReports : IAsyncDisposable
{
    // A slow store takes more of them each time, not more time for them all.
    private const int MostAtOnce = 2000;

    // Where the log is behind, it has this many times its prefetch in memory.
    private const int MostInAMessage = 50;

    // Under load; a push's acknowledgement waits that much longer.
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(20);

    /// <summary>How long the store may take.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>How long a store that did not take them is left to those who must have it.</summary>
    internal static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long the bus may take the first time, and twice as long each further time: one that waits for a queue without a leader does so for ever, and the store may be back meanwhile; one that
    /// is slow has the time that it needs in the end.
    /// </summary>
    internal static readonly TimeSpan BusPatience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LongestBusPatience = TimeSpan.FromMinutes(1);

    /// <summary>When both are asked again where the bus did not take them either.</summary>
    internal static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly IBus _bus;
    private readonly IDbContextFactory<NotifyDbContext> _store;
    private readonly IOptions<DeliveryLogOptions> _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _ended = new();
    private readonly Gathering<Report> _reports;

    // Of each subscription the last that neither has yet.
    private readonly ConcurrentDictionary<Guid, Task> _last = [];
    private Task _write = Task.CompletedTask;
    private long? _restsSince;

    /// <summary>Reports to this store, or over this bus.</summary>
    public DeliveryReports(IBus bus, IDbContextFactory<NotifyDbContext> store, IOptions<DeliveryLogOptions> options, TimeProvider time, ILogger<DeliveryReports> logger)
    {
        (_bus, _store, _options, _time, _logger) = (bus, store, options, time, logger);
        _reports = new Gathering<Report>(MostAtOnce, HandleAsync, Linger);
    }

    /// <summary>Returns when the store or the bus has it, however long that takes: whoever gave up would have the push made again. Fails only at the end.</summary>
    /// <param name="accepted">The acceptance.</param>
    /// <param name="lastAcceptedAt">The last that is noted on its subscription; null if none is.</param>
    public Task ReportAsync(PushAccepted accepted, DateTimeOffset? lastAcceptedAt)
    {
        var isNews = lastAcceptedAt is null || lastAcceptedAt < accepted.At - NotifyDbContext.AcceptanceNotedEvery;
        if (!isNews && !_options.Value.Enabled)
        {
            // An earlier one may be.
            return ReportedAsync(accepted.SubscriptionId);
        }

        return Add(new Report(Delivery.Of(accepted), isNews) { Accepted = accepted });
    }

    /// <summary>Returns when the store or the bus has it, however long that takes. Fails only at the end.</summary>
    /// <param name="deferred">The wait.</param>
    public Task ReportAsync(PushDeferred deferred) =>
        _options.Value.Enabled ? Add(new Report(Delivery.Of(deferred), IsNews: false) { Deferred = deferred }) : ReportedAsync(deferred.SubscriptionId);

    /// <summary>Returns when the store or the bus has all that was reported of this subscription so far; fails as they do.</summary>
    public Task ReportedAsync(Guid subscriptionId) => _last.GetValueOrDefault(subscriptionId) ?? Task.CompletedTask;

    /// <summary>Gives up what neither has taken: its push is not acknowledged, and comes again.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _reports.DisposeAsync();
        await _write.WaitAsync(Patience, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _ended.Dispose();
    }

    private Task Add(Report report)
    {
        _last[report.Row.SubscriptionId] = report.Done.Task;
        _reports.Add(report);
        return report.Done.Task;
    }

    private async Task HandleAsync(IReadOnlyList<Report> reports)
    {
        for (var patience = BusPatience; !await TryWriteAsync(reports); patience = patience < LongestBusPatience ? 2 * patience : patience)
        {
            var messages = reports.Chunk(MostInAMessage).ToList();
            var failures = await Task.WhenAll(messages.Select(message => TryPublishAsync(message, patience)));

            // What follows one that was not taken is not told either: of two of a subscription the second is never told first.
            var taken = failures.TakeWhile(failure => failure is null).Count();
            Tell(messages.Take(taken).SelectMany(message => message));
            if (taken == messages.Count)
            {
                return;
            }

            reports = [.. messages.Skip(taken).SelectMany(message => message)];
            if (_ended.IsCancellationRequested)
            {
                Tell(reports, failures[taken]);
                return;
            }

            LogTakenByNeither(failures[taken], Pause);
            _restsSince = null;
            await Task.Delay(Pause, _time, _ended.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Tell(reports);
    }

    private void Tell(IEnumerable<Report> reports, Exception? failure = null)
    {
        foreach (var report in reports)
        {
            if (failure is null)
            {
                report.Done.SetResult();
            }
            else
            {
                report.Done.SetException(failure);
            }

            _last.TryRemove(KeyValuePair.Create(report.Row.SubscriptionId, report.Done.Task));
        }
    }

    // What the store says stays here: whoever reported would have their push made again. A write that comes late does no harm, since what is written twice is there once.
    private async Task<bool> TryWriteAsync(IReadOnlyList<Report> reports)
    {
        if (!_write.IsCompleted || (_restsSince is { } since && _time.GetElapsedTime(since) < Rest))
        {
            return false;
        }

        var cancellation = new CancellationTokenSource();
        try
        {
            // SQLite's provider holds the thread up, and nothing makes a commit give up.
            _write = Task.Run(() => WriteAsync(reports, cancellation.Token));
            await _write.WaitAsync(Patience, _time);
            _restsSince = null;
            return true;
        }
        catch (Exception exception)
        {
            _restsSince = _time.GetTimestamp();
            LogNotTaken(exception, Rest);

            // Elsewhere: to cancel a command, Npgsql connects to the server, which may not answer.
            _ = cancellation.CancelAsync();
            return false;
        }
    }

    private async Task WriteAsync(IReadOnlyList<Report> reports, CancellationToken cancellationToken)
    {
        await using var db = await _store.CreateDbContextAsync(cancellationToken);
        await db.WriteOutcomesAsync(
            _options.Value.Enabled ? [.. reports.Select(report => report.Row)] : [],
            [.. reports.Where(report => report.IsNews).Select(report => report.Row)],
            cancellationToken);
        await db.WriteAttemptsAsync(DeliveryAttempt.Of(reports.Select(report => report.Deferred).OfType<PushDeferred>()), cancellationToken);
    }

    /// <returns>Why it was not taken; null if it was.</returns>
    private async Task<Exception?> TryPublishAsync(Report[] reports, TimeSpan patience)
    {
        using var limit = new CancellationTokenSource(patience, _time);
        using var end = _ended.Token.Register(limit.Cancel);
        try
        {
            // A bus that was given up may have it all the same: what is told twice is there once.
            var message = new ReportedPushes([.. reports.Select(report => report.Accepted).OfType<PushAccepted>()], [.. reports.Select(report => report.Deferred).OfType<PushDeferred>()]);
            await _bus.Publish(message, publish => publish.RequireQueue(), limit.Token).WaitAsync(limit.Token);
            return null;
        }
        catch (OperationCanceledException) when (!_ended.IsCancellationRequested && limit.IsCancellationRequested)
        {
            return new TimeoutException("The broker has not confirmed them in time.");
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    [LoggerMessage(LogLevel.Warning, "The database did not take what became of pushes: for {Rest} that goes to the delivery log over the bus")]
    private partial void LogNotTaken(Exception exception, TimeSpan rest);

    [LoggerMessage(LogLevel.Warning, "Neither the database nor the bus took what became of pushes: both are asked again in {Pause}. The pushes stay unacknowledged")]
    private partial void LogTakenByNeither(Exception? exception, TimeSpan pause);

    // One of the two events.
    private sealed record Report(Delivery Row, bool IsNews)
    {
        public PushAccepted? Accepted { get; init; }

        public PushDeferred? Deferred { get; init; }

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
