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
        Report(other, seconds: 1, events: 10);
        Report(one, seconds: 1.99, events: 20);
        Report(one, seconds: 4.5, events: 20);

        Assert.Equal([15, 10], LiveViews.History(_workers).Select(moment => Math.Round(moment.FannedOut, 3)));
    }

    [Fact]
    public void A_worker_whose_clock_is_hours_off_is_seen_at_work_and_away_once_it_is_silent()
    {
        _workers.Note(ReportOf(Guid.NewGuid(), events: 10) with { At = Start.AddHours(-3) });

        Assert.Equal((5, false), (Now().FannedOut, IsAway()));
        _time.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal((0, true), (Now().FannedOut, IsAway()));

        RateView Now() => LiveViews.Now(_workers, null, null, _time.GetUtcNow()).Now;
        bool IsAway() => Assert.Single(LiveViews.Now(_workers, null, null, _time.GetUtcNow()).Workers).IsAway;
    }

    private void Report(Guid worker, double seconds, long events)
    {
        _time.SetUtcNow(Start.AddSeconds(seconds));
        _workers.Note(ReportOf(worker, events));
    }

    private static WorkerReport ReportOf(Guid worker, long events) => new()
    {
        WorkerId = worker, Host = "worker", ProcessId = 1, Version = "1", StartedAt = Start, At = Start, Seconds = 2, MessagesFannedOut = events,
    };
}
