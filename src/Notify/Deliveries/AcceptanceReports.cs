using MassTransit;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Sending;

namespace Notify.Deliveries;

/// <summary>Acceptances on their way to the delivery log, many in one message.</summary>
/// <param name="Pushes">One or more.</param>
public sealed record AcceptedPushes(IReadOnlyList<PushAccepted> Pushes);

/// <summary>
/// Tells the delivery log of acceptances, many in one message. The log gets what nearly every push ends with, and a message for each would cost broker, store
/// and worker about as much as its encryption and POST.
/// </summary>
/// <remarks>Other consumers get a <see cref="PushAccepted"/> for each push: <see cref="AcceptanceEvents"/>.</remarks>
public sealed class AcceptanceReports : IAsyncDisposable
{
    // Where the log is behind, it has this many times its prefetch in memory.
    private const int MostAtOnce = 50;

    // A confirm takes as long as the broker's disk does, and meanwhile more may come than one message holds.
    private const int MessagesUnderWay = 8;

    // Under load, so that a few dozen share a message; a push's acknowledgement and its subscription's next push wait that much longer.
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(10);

    private readonly IBus _bus;
    private readonly CancellationTokenSource _ended = new();
    private readonly Gathering<Report> _reports;

    /// <summary>Reports over this bus.</summary>
    public AcceptanceReports(IBus bus) => (_bus, _reports) = (bus, new Gathering<Report>(MostAtOnce, SendAsync, Linger, MessagesUnderWay));

    /// <summary>Returns when the bus has it.</summary>
    public Task ReportAsync(PushAccepted accepted)
    {
        var report = new Report(accepted);
        _reports.Add(report);
        return report.Done.Task;
    }

    /// <summary>Gives up what the bus has not taken: its push is not acknowledged, and comes again.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _reports.DisposeAsync();
        _ended.Dispose();
    }

    private async Task SendAsync(IReadOnlyList<Report> reports)
    {
        try
        {
            await _bus.Publish(new AcceptedPushes([.. reports.Select(report => report.Accepted)]), publish => publish.RequireQueue(), _ended.Token);
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

    private sealed record Report(PushAccepted Accepted)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
