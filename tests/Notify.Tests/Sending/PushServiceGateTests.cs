using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Notify.Sending;
using Notify.WebPush;

namespace Notify.Tests.Sending;

public sealed class PushServiceGateTests
{
    private static readonly PushOutcome Accepted = new PushOutcome.Accepted(201, null);
    private static readonly PushOutcome Down = new PushOutcome.RetryLater(503, null, null);

    private readonly FakeTimeProvider _time = new();
    private readonly PushServiceGate _gate;
    private int _made;

    public PushServiceGateTests() => _gate = new PushServiceGate("push.example.com", new SendingOptions { Concurrency = 2 }, _time, NullLogger.Instance);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Fewer_failures_than_tell_anything_let_everything_through()
    {
        for (var i = 0; i < PushServiceGate.MinimumThroughput; i++)
        {
            Assert.IsType<Passage.Made>(await PassAsync(Down));
        }

        Assert.Equal(PushServiceGate.MinimumThroughput, _made);
    }

    [Fact]
    public async Task Failures_at_a_few_users_say_nothing_of_the_others_however_many_there_are()
    {
        for (var i = 0; i < 10 * PushServiceGate.MinimumThroughput; i++)
        {
            Assert.IsType<Passage.Made>(await PassAsync(Down, user: $"user {i % (FailingUsers.Many - 1)}"));
        }

        Assert.Equal(BreakerState.Closed, _gate.Breaker);

        // One user more, and it is the push service.
        _time.Advance(TimeSpan.FromSeconds(11));
        for (var i = 0; i < PushServiceGate.MinimumThroughput; i++)
        {
            await PassAsync(Down, user: $"user {i % FailingUsers.Many}");
        }

        Assert.Equal(BreakerState.Open, _gate.Breaker);
    }

    [Fact]
    public async Task A_probe_that_fails_at_a_single_user_keeps_it_open()
    {
        await OpenAsync();
        _time.Advance(TimeSpan.FromSeconds(11));

        Assert.IsType<Passage.Made>(await PassAsync(Down, user: "ada"));

        Assert.Equal(TimeSpan.FromSeconds(2), Assert.IsType<Passage.Refused>(await PassAsync(Accepted)).Soonest);
    }

    [Fact]
    public async Task A_service_that_fails_at_everything_is_left_alone_and_then_probed_by_one()
    {
        await OpenAsync();

        Assert.Equal(TimeSpan.FromSeconds(1), Assert.IsType<Passage.Refused>(await PassAsync(Accepted)).Soonest);

        _time.Advance(TimeSpan.FromSeconds(1));
        var answer = new TaskCompletionSource<PushOutcome>();
        var probe = PassAsync(answer.Task);
        Assert.IsType<Passage.Refused>(await PassAsync(Accepted));
        answer.SetResult(Accepted);
        Assert.IsType<Passage.Made>(await probe);
        Assert.IsType<Passage.Made>(await PassAsync(Accepted));
    }

    [Fact]
    public async Task One_that_nobody_pushes_to_any_more_is_not_said_to_be_down_for_ever()
    {
        Assert.Equal(BreakerState.Closed, _gate.Breaker);
        await OpenAsync();
        Assert.Equal(BreakerState.Open, _gate.Breaker);

        _time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal(BreakerState.HalfOpen, _gate.Breaker);
        await PassAsync(Accepted);
        Assert.Equal(BreakerState.Closed, _gate.Breaker);
    }

    [Fact]
    public void A_gate_that_nobody_asks_for_is_not_shown_after_an_hour_and_forgotten_in_the_end_however_often_all_are_looked_at()
    {
        using var gates = new PushServiceGates(Options.Create(new SendingOptions()), _time, NullLogger<PushServiceGate>.Instance);
        var one = gates.Of(new Uri("https://one.example.com/push"));
        var other = gates.Of(new Uri("https://other.example.com/push"));
        Assert.Equivalent(new[] { one, other }, gates.All());

        for (var hours = 0; hours < 26; hours++)
        {
            _time.Advance(TimeSpan.FromHours(1));
            Assert.Same(other, gates.Of(new Uri("https://other.example.com/push")));
            Assert.Equal([other], gates.All());
        }

        Assert.NotSame(one, gates.Of(new Uri("https://one.example.com/push")));
    }

    [Fact]
    public async Task A_gate_is_not_forgotten_while_its_push_service_wants_to_be_left_alone()
    {
        using var gates = new PushServiceGates(Options.Create(new SendingOptions { MaxRetryDelay = TimeSpan.FromHours(20) }), _time, NullLogger<PushServiceGate>.Instance);
        var (byAll, byOne, subscription) = (new Uri("https://one.example.com/push"), new Uri("https://other.example.com/push"), Guid.NewGuid());
        for (var i = 0; i < 3; i++)
        {
            Assert.IsType<Passage.Made>(await PassAsync(byAll, Guid.NewGuid(), Throttled(20 * 3600)));
        }

        gates.Of(byOne).LeaveAlone(subscription, TimeSpan.FromDays(1));

        _time.Advance(TimeSpan.FromHours(19.9));
        Assert.Equal([gates.Of(byAll)], gates.All());
        Assert.IsType<Passage.Refused>(await PassAsync(byAll, Guid.NewGuid(), Accepted));
        _time.Advance(TimeSpan.FromHours(4));
        Assert.IsType<Passage.Refused>(await PassAsync(byOne, subscription, Accepted));
        _time.Advance(TimeSpan.FromHours(0.2));
        Assert.IsType<Passage.Made>(await PassAsync(byOne, subscription, Accepted));

        Task<Passage> PassAsync(Uri endpoint, Guid whose, PushOutcome outcome) => gates.Of(endpoint).PassAsync(whose, $"{whose}", hasWaited: false, DateTimeOffset.MaxValue, _ => new(outcome), Cancellation);
    }

    [Fact]
    public async Task While_it_is_down_those_of_a_minute_ask_again_as_many_in_a_second_as_there_are_places_and_the_others_after_them()
    {
        await OpenAsync();
        var delays = new List<TimeSpan>();
        for (var i = 0; i < 1000; i++)
        {
            delays.Add(Assert.IsType<Passage.Refused>(await PassAsync(Accepted)).Delay);
        }

        // Those of a minute stand in a line, and who finds it so long comes within half a minute after it.
        Assert.All(delays.Take(100).Zip(delays.Skip(1)), pair => Assert.Equal(TimeSpan.FromSeconds(0.5), pair.Second - pair.First));
        Assert.InRange(delays.Count(delay => delay <= TimeSpan.FromSeconds(61)), 115, 120);
        Assert.InRange(delays.Max(), TimeSpan.FromSeconds(80), TimeSpan.FromSeconds(91));
    }

    [Fact]
    public async Task Who_would_be_stale_by_its_turn_takes_none_from_the_others()
    {
        await OpenAsync();
        var before = Assert.IsType<Passage.Refused>(await PassAsync(Accepted)).Delay;
        for (var i = 0; i < 100; i++)
        {
            Assert.IsType<Passage.Refused>(await PassAsync(Task.FromResult(Accepted), expiresAt: _time.GetUtcNow() + before));
        }

        Assert.Equal(before + TimeSpan.FromSeconds(0.5), Assert.IsType<Passage.Refused>(await PassAsync(Accepted)).Delay);
    }

    [Fact]
    public async Task Every_probe_that_fails_doubles_the_wait_for_the_next_up_to_a_minute()
    {
        await OpenAsync();
        foreach (var seconds in new[] { 1, 2, 4, 8, 16, 32, 60, 60 })
        {
            Assert.Equal(TimeSpan.FromSeconds(seconds), Assert.IsType<Passage.Refused>(await PassAsync(Down)).Soonest);
            _time.Advance(TimeSpan.FromSeconds(seconds));
            Assert.IsType<Passage.Made>(await PassAsync(Down));
        }
    }

    [Fact]
    public async Task A_probe_that_is_given_up_lets_nothing_through()
    {
        await OpenAsync();
        _time.Advance(TimeSpan.FromSeconds(1));
        using var given = new CancellationTokenSource();
        var probe = _gate.PassAsync(Guid.NewGuid(), "ada", hasWaited: false, DateTimeOffset.MaxValue, async token => { await Task.Delay(Timeout.Infinite, token); return Accepted; }, given.Token);

        await given.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => probe);
        Assert.IsType<Passage.Refused>(await PassAsync(Accepted));
        Assert.Equal((BreakerState.Open, 0), (_gate.Breaker, _gate.InFlight));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.IsType<Passage.Made>(await PassAsync(Accepted));
    }

    [Fact]
    public async Task Half_of_the_answers_good_is_good_enough()
    {
        for (var i = 0; i < 10 * PushServiceGate.MinimumThroughput; i++)
        {
            Assert.IsType<Passage.Made>(await PassAsync(i % 5 < 3 ? Accepted : Down));
        }
    }

    [Fact]
    public async Task A_service_that_throttles_whoever_asks_is_left_alone_for_as_long_as_it_says()
    {
        for (var i = 0; i < 3; i++)
        {
            Assert.IsType<Passage.Made>(await PassAsync(Throttled(30), Guid.NewGuid()));
        }

        Assert.InRange(Assert.IsType<Passage.Refused>(await PassAsync(Accepted)).Delay, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(45));
        _time.Advance(TimeSpan.FromSeconds(29.9));
        Assert.IsType<Passage.Refused>(await PassAsync(Accepted));
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.IsType<Passage.Made>(await PassAsync(Accepted));
    }

    [Fact]
    public async Task A_service_that_goes_on_throttling_is_left_alone_again_and_again()
    {
        string[] users = ["ada", "grace", "lin"];
        for (var round = 0; round < 5; round++)
        {
            foreach (var user in users)
            {
                Assert.IsType<Passage.Made>(await PassAsync(Throttled(120), user: user));
            }

            Assert.IsType<Passage.Refused>(await PassAsync(Accepted));
            _time.Advance(TimeSpan.FromSeconds(120));
        }
    }

    [Fact]
    public async Task A_service_that_throttles_is_left_alone_by_those_too_that_waited_for_a_place()
    {
        for (var i = 0; i < 2; i++)
        {
            Assert.IsType<Passage.Made>(await PassAsync(Throttled(30)));
        }

        var (third, other) = (new TaskCompletionSource<PushOutcome>(), new TaskCompletionSource<PushOutcome>());
        var under = new[] { PassAsync(third.Task), PassAsync(other.Task) };
        var waits = Enumerable.Range(0, 5).Select(_ => PassAsync(Accepted)).ToList();

        third.SetResult(Throttled(30));

        foreach (var waited in waits)
        {
            Assert.InRange(Assert.IsType<Passage.Refused>(await waited).Delay, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(45));
        }

        other.SetResult(Accepted);
        await Task.WhenAll(under);
        Assert.Equal((4, 0), (_made, _gate.InFlight));
    }

    [Fact]
    public async Task One_device_that_is_throttled_for_itself_silences_no_other_however_many_subscriptions_its_user_has()
    {
        const string chatty = "chatty";
        for (var i = 0; i < 5; i++)
        {
            Assert.IsType<Passage.Made>(await PassAsync(Throttled(3600), user: chatty));
        }

        Assert.IsType<Passage.Made>(await PassAsync(Throttled(3600), Guid.NewGuid()));
        Assert.IsType<Passage.Made>(await PassAsync(Accepted));
        Assert.IsType<Passage.Made>(await PassAsync(Throttled(3600), Guid.NewGuid()));
        Assert.IsType<Passage.Made>(await PassAsync(Throttled(3600), user: chatty));
        Assert.IsType<Passage.Made>(await PassAsync(Accepted));
    }

    [Fact]
    public async Task A_subscription_that_is_to_be_left_alone_gets_nothing_new_until_then()
    {
        var throttled = Guid.NewGuid();
        _gate.LeaveAlone(throttled, TimeSpan.FromSeconds(60));

        Assert.InRange(Assert.IsType<Passage.Refused>(await PassAsync(Accepted, throttled)).Delay, TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(63));
        Assert.IsType<Passage.Made>(await PassAsync(Accepted, throttled, hasWaited: true));
        Assert.IsType<Passage.Made>(await PassAsync(Accepted));
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.IsType<Passage.Made>(await PassAsync(Accepted, throttled));
    }

    [Fact]
    public async Task A_mistaken_rest_of_one_subscription_is_over_after_a_day()
    {
        var mistaken = Guid.NewGuid();
        _gate.LeaveAlone(mistaken, TimeSpan.FromDays(365));
        _time.Advance(TimeSpan.FromDays(1));

        Assert.IsType<Passage.Made>(await PassAsync(Accepted, mistaken));
    }

    [Fact]
    public async Task A_mistaken_rest_of_all_is_no_longer_than_the_longest_retry_delay()
    {
        for (var i = 0; i < 3; i++)
        {
            await PassAsync(Throttled(30 * 86_400));
        }

        Assert.Equal(new SendingOptions().MaxRetryDelay, _gate.Rest);
    }

    [Fact]
    public async Task Pushes_that_were_given_up_open_no_breaker()
    {
        for (var i = 0; i < 2 * PushServiceGate.MinimumThroughput; i++)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => PassAsync(Task.FromCanceled<PushOutcome>(new CancellationToken(true))));
        }

        Assert.IsType<Passage.Made>(await PassAsync(Accepted));
    }

    [Fact]
    public void Subscriptions_that_have_rested_are_forgotten()
    {
        for (var i = 0; i < 3000; i++)
        {
            _gate.LeaveAlone(Guid.NewGuid(), TimeSpan.FromSeconds(5));
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.InRange(_gate.Resting, 5, 1024);
    }

    [Fact]
    public async Task Who_finds_all_places_taken_waits_for_one()
    {
        // Nothing moved for long, because there was nothing to do.
        _time.Advance(TimeSpan.FromHours(1));
        var (first, second) = (new TaskCompletionSource<PushOutcome>(), new TaskCompletionSource<PushOutcome>());
        var under = new[] { PassAsync(first.Task), PassAsync(second.Task) };
        var third = PassAsync(Accepted);
        Assert.Equal(2, _made);
        Assert.False(third.IsCompleted);

        first.SetResult(Accepted);

        Assert.IsType<Passage.Made>(await third);
        second.SetResult(Accepted);
        await Task.WhenAll(under);
    }

    [Fact]
    public async Task Nobody_waits_for_a_place_at_a_service_that_gives_none_back()
    {
        var never = new TaskCompletionSource<PushOutcome>();
        var under = new[] { PassAsync(never.Task), PassAsync(never.Task) };
        _time.Advance(TimeSpan.FromSeconds(2.1));

        for (var i = 0; i < 100; i++)
        {
            Assert.IsType<Passage.Refused>(await PassAsync(Accepted));
        }

        Assert.Equal(2, _made);
        never.SetResult(Down);
        await Task.WhenAll(under);
    }

    [Fact]
    public async Task At_a_service_that_takes_its_time_no_more_wait_than_leave_room_for_others()
    {
        for (var i = 0; i < 10; i++)
        {
            var answer = new TaskCompletionSource<PushOutcome>();
            var made = PassAsync(answer.Task);
            _time.Advance(TimeSpan.FromSeconds(1));
            answer.SetResult(Accepted);
            Assert.IsType<Passage.Made>(await made);
        }

        var slow = new TaskCompletionSource<PushOutcome>();
        var under = new[] { PassAsync(slow.Task), PassAsync(slow.Task) };
        var waits = PassAsync(Accepted);
        var delays = new List<TimeSpan>();
        for (var i = 0; i < 1000; i++)
        {
            delays.Add(Assert.IsType<Passage.Refused>(await PassAsync(Accepted)).Delay);
        }

        // By the pace of two in 0.65 seconds those of a minute stand in a line, and who finds it so long comes within half a minute after it.
        Assert.InRange(delays.Count(delay => delay < TimeSpan.FromMinutes(1)), 150, 250);
        Assert.InRange(delays.Max(), TimeSpan.FromSeconds(80), TimeSpan.FromSeconds(90));

        // A minute later that line is gone.
        Assert.False(waits.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(61));
        slow.SetResult(Accepted);
        Assert.IsType<Passage.Made>(await waits);
        await Task.WhenAll(under);
        slow = new TaskCompletionSource<PushOutcome>();
        under = [PassAsync(slow.Task), PassAsync(slow.Task)];
        Assert.InRange(Assert.IsType<Passage.Refused>(await PassAsync(Accepted)).Delay, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(20));
        slow.SetResult(Accepted);
        await Task.WhenAll(under);
    }

    [Fact]
    public async Task Who_has_waited_makes_room_for_the_next_who_waits()
    {
        for (var i = 0; i < 13; i++)
        {
            var slow = new TaskCompletionSource<PushOutcome>();
            List<Task<Passage>> passages = [PassAsync(slow.Task), PassAsync(slow.Task)];

            // Once it is found to be so sluggish, one may wait.
            if (i >= 10)
            {
                passages.Add(PassAsync(Accepted));
            }

            Assert.All(passages, passage => Assert.False(passage.IsCompleted));
            _time.Advance(TimeSpan.FromSeconds(1));
            slow.SetResult(Accepted);
            Assert.All(await Task.WhenAll(passages), passage => Assert.IsType<Passage.Made>(passage));
        }
    }

    [Fact]
    public async Task A_service_that_gives_no_place_back_is_asked_again_as_if_each_took_at_least_that_long()
    {
        var never = new TaskCompletionSource<PushOutcome>();
        var under = new[] { PassAsync(never.Task), PassAsync(never.Task) };
        _time.Advance(TimeSpan.FromSeconds(4));

        Assert.Equal(TimeSpan.FromSeconds(2), Assert.IsType<Passage.Refused>(await PassAsync(Accepted)).Delay);
        Assert.Equal(TimeSpan.FromSeconds(4), Assert.IsType<Passage.Refused>(await PassAsync(Accepted)).Delay);
        never.SetResult(Down);
        await Task.WhenAll(under);
    }

    [Theory]
    [InlineData(5000, 4500, 4500)]
    [InlineData(4500, 3600, 4050)]
    [InlineData(3700, 3600, 3650)]
    [InlineData(3600, 4500, 4500)]
    public void What_may_pass_before_it_is_stale_asks_again_before_that(int left, int from, int to)
    {
        var refused = new Passage.Refused(TimeSpan.FromSeconds(3600), TimeSpan.FromSeconds(4500), "throttled", "the push service asked to be left alone");

        Assert.InRange(refused.DelayWithin(TimeSpan.FromSeconds(left)), TimeSpan.FromSeconds(from), TimeSpan.FromSeconds(to));
    }

    [Fact]
    public async Task What_expires_while_it_waits_for_a_place_is_not_made_and_the_place_is_free_again()
    {
        var answer = new TaskCompletionSource<PushOutcome>();
        var under = new[] { PassAsync(answer.Task), PassAsync(answer.Task) };
        var expiresAt = _time.GetUtcNow() + TimeSpan.FromSeconds(1);
        var waits = new[] { PassAsync(Task.FromResult(Accepted), expiresAt: expiresAt), PassAsync(Task.FromResult(Accepted), expiresAt: expiresAt + TimeSpan.FromSeconds(1)) };

        _time.Advance(TimeSpan.FromSeconds(1));
        answer.SetResult(Accepted);

        Assert.IsType<Passage.TooLate>(await waits[0]);
        Assert.IsType<Passage.Made>(await waits[1]);
        await Task.WhenAll(under);
        Assert.Equal((3, 0), (_made, _gate.InFlight));
    }

    private static PushOutcome.RetryLater Throttled(int seconds) => new PushOutcome.RetryLater(429, null, TimeSpan.FromSeconds(seconds));

    private async Task OpenAsync()
    {
        for (var i = 0; i <= PushServiceGate.MinimumThroughput; i++)
        {
            await PassAsync(Down);
        }

        Assert.IsType<Passage.Refused>(await PassAsync(Down));
    }

    private Task<Passage> PassAsync(PushOutcome outcome, Guid? subscription = null, bool hasWaited = false, string? user = null) => PassAsync(Task.FromResult(outcome), subscription, hasWaited, user: user);

    private Task<Passage> PassAsync(Task<PushOutcome> outcome, Guid? subscription = null, bool hasWaited = false, DateTimeOffset? expiresAt = null, string? user = null) => _gate.PassAsync(
        subscription ?? Guid.NewGuid(),
        user ?? $"{Guid.NewGuid()}",
        hasWaited,
        expiresAt ?? DateTimeOffset.MaxValue,
        async _ =>
        {
            _made++;
            return await outcome;
        },
        Cancellation);
}
