using Microsoft.Extensions.Time.Testing;
using Notify.Dashboard;

namespace Notify.Tests.Dashboard;

public sealed class LiveViewTests
{
    private static readonly DateTimeOffset Start = new(2026, 5, 4, 12, 0, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider _time = new(Start);
    private readonly Workers _workers;

    public LiveViewTests() => _workers = new Workers(_time);

    [Fact]
    public void In_the_past_a_worker_that_reported_twice_within_a_step_did_no_more_than_it_did()
    {
        var (one, other) = (Guid.NewGuid(), Guid.NewGuid());
        Report(one, seconds: 0.01, events: 20);
        Report(one, seconds: 1.99, events: 20);
        Report(other, seconds: 1, events: 10);
        Report(one, seconds: 4.5, events: 20);

        Assert.Equal([15, 10], LiveViews.History(_workers).Select(moment => Math.Round(moment.FannedOut, 3)));
    }

    private void Report(Guid worker, double seconds, long events) => _workers.Note(new WorkerReport
    {
        WorkerId = worker, Host = "worker", ProcessId = 1, Version = "1", StartedAt = Start, At = Start.AddSeconds(seconds), Seconds = 2, MessagesFannedOut = events,
    });
}
