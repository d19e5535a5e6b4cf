using MassTransit;
using Microsoft.EntityFrameworkCore;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Sending;
using Notify.Store;

namespace Notify.Deliveries;

/// <summary>Acceptances on their way to the delivery log by the bus, many in one message.</summary>
/// <param name="Pushes">One or more.</param>
public sealed record AcceptedPushes(IReadOnlyList<PushAccepted> Pushes);

/// <summary>
/// Tells the delivery log of acceptances, which is what nearly every push ends with: writes many at once to the store. What the store does not take at once
/// goes over the bus, so that no push waits long for its acknowledgement.
/// </summary>
/// <remarks>Other consumers get a <see cref="PushAccepted"/> for each push: <see cref="AcceptanceEvents"/>.</remarks>
public sealed partial class AcceptanceReports : IAsyncDisposable
{
    private const int MostAtOnce = 500;

    // Where the log is behind, it has this many times its prefetch in memory.
    private const int MostInAMessage = 50;

    // Under load; a push's acknowledgement and its subscription's next push wait that much longer.
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(20);

    /// <summary>How long the store may take.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>How long a store that did not take them is left to those who must have it.</summary>
    internal static readonly TimeSpan Rest = TimeSpan.FromSeconds(10);

    private readonly IBus _bus;
    private readonly IDbContextFactory<NotifyDbContext> _store;
    private readonly DeliveryLog _log;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _ended = new();
    private readonly Gathering<Report> _reports;
    private DateTimeOffset _storeRestsUntil;

    /// <summary>Reports to this store, or over this bus.</summary>
    public AcceptanceReports(IBus bus, IDbContextFactory<NotifyDbContext> store, DeliveryLog log, TimeProvider time, ILogger<AcceptanceReports> logger)
    {
        (_bus, _store, _log, _time, _logger) = (bus, store, log, time, logger);
        _reports = new Gathering<Report>(MostAtOnce, HandleAsync, Linger);
    }

    /// <summary>Returns when the store or the bus has it.</summary>
    /// <param name="accepted">The acceptance.</param>
    /// <param name="lastAcceptedAt">The last that its subscription is known to have had.</param>
    public Task ReportAsync(PushAccepted accepted, DateTimeOffset? lastAcceptedAt)
    {
        var report = new Report(accepted, lastAcceptedAt is null || lastAcceptedAt < accepted.At - NotifyDbContext.AcceptanceNotedEvery);
        _reports.Add(report);
        return report.Done.Task;
    }

    /// <summary>Gives up what neither has taken: its push is not acknowledged, and comes again.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _reports.DisposeAsync();
        _ended.Dispose();
    }

    private async Task HandleAsync(IReadOnlyList<Report> reports)
    {
        try
        {
            if (_time.GetUtcNow() < _storeRestsUntil || !await TryWriteAsync(reports))
            {
                await Task.WhenAll(reports.Chunk(MostInAMessage).Select(PublishAsync));
            }

            foreach (var report in reports)
            {
                report.Done.SetResult();
            }
        }
        catch (Exception exception)
        {
            foreach (var report in reports)
            {
                report.Done.TrySetException(exception);
            }
        }
    }

    // A write that is too late does no harm: what is written twice is there once.
    private async Task<bool> TryWriteAsync(IReadOnlyList<Report> reports)
    {
        var patience = new CancellationTokenSource(Patience, _time);
        try
        {
            // Nothing makes a commit give up, and SQLite's provider holds the thread up.
            await Task.Run(() => WriteAsync(reports, patience.Token)).WaitAsync(patience.Token);
            patience.Dispose();
            return true;
        }
        catch (Exception exception) when (!_ended.IsCancellationRequested)
        {
            _storeRestsUntil = _time.GetUtcNow() + Rest;
            LogNotTaken(exception, Rest);
            return false;
        }
    }

    private async Task WriteAsync(IReadOnlyList<Report> reports, CancellationToken cancellationToken)
    {
        var outcomes = reports.Select(report => (Delivery: Delivery.Of(report.Accepted), report.IsNews)).ToList();
        await using var db = await _store.CreateDbContextAsync(cancellationToken);
        await _log.WriteAsync(db, outcomes.ConvertAll(outcome => outcome.Delivery), [.. outcomes.Where(outcome => outcome.IsNews).Select(outcome => outcome.Delivery)], cancellationToken);
    }

    private Task PublishAsync(Report[] reports) =>
        _bus.Publish(new AcceptedPushes(Array.ConvertAll(reports, report => report.Accepted)), publish => publish.RequireQueue(), _ended.Token);

    [LoggerMessage(LogLevel.Warning, "The database did not take acceptances in time: for {Rest} they go to the delivery log over the bus")]
    private partial void LogNotTaken(Exception exception, TimeSpan rest);

    private sealed record Report(PushAccepted Accepted, bool IsNews)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
