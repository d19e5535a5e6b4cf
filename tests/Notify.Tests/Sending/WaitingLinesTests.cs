using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Notify.Contracts;
using Notify.Deliveries;
using Notify.Sending;
using Notify.Store;
using Notify.Tests.Store;

namespace Notify.Tests.Sending;

public abstract class WaitingLinesTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new();
    private readonly Guid _subscription = Guid.NewGuid();
    private readonly FailingQueries _failures = new();
    private TestStore _store = null!;
    private WaitingLines _lines = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _store = await TestStore.CreateAsync(await NewDatabaseAsync(), _failures);
        _lines = new WaitingLines(_store.Factory, _time, NullLogger<WaitingLines>.Instance);
    }

    /// <summary>What the lines are kept in; SQLite if null.</summary>
    protected virtual Task<TestDatabase?> NewDatabaseAsync() => Task.FromResult<TestDatabase?>(null);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _lines.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task Where_nothing_waits_a_push_goes_ahead() => Assert.Equal(new Turn.Go(0, null, null), await TurnAsync(Push()));

    [Fact]
    public async Task The_first_to_wait_is_the_head_and_others_stand_in_line()
    {
        var head = Push();
        await _lines.HoldAsync(head, null, attempts: 2, In10Seconds, CancellationToken.None);

        Assert.Equal(2, Assert.IsType<Turn.Go>(await TurnAsync(head, attemptsInLine: 2)).Attempts);
        Assert.Equal(In10Seconds, Assert.IsType<Turn.StoodInLine>(await TurnAsync(Push())).NextAttemptAt);
        Assert.Equal(new Turn.Go(0, null, null), await TurnAsync(Push() with { SubscriptionId = Guid.NewGuid() }));
    }

    [Theory]
    [InlineData(DeliveryState.Accepted, "ada", false)]
    [InlineData(DeliveryState.Accepted, "grace", true)]
    [InlineData(DeliveryState.Retrying, "ada", true)]
    [InlineData(DeliveryState.Failed, "ada", true)]
    [InlineData(null, "ada", true)]
    public async Task What_was_accepted_stands_in_no_line_behind_newer_ones_and_begins_none_unless_it_was_for_the_owner_before(DeliveryState? known, string owner, bool waits)
    {
        var (push, first) = (Push(), Push() with { SubscriptionId = Guid.NewGuid() });
        await HeadAsync();
        if (known is { } state)
        {
            await using var db = _store.Open();
            await db.WriteOutcomesAsync([.. new[] { push, first }.Select(each => new Delivery { MessageId = each.MessageId, SubscriptionId = each.SubscriptionId, UserId = owner, State = state, Attempts = 3, Status = 202, UpdatedAt = DateTimeOffset.UnixEpoch })], [], Cancellation);
        }

        var turn = await TurnAsync(push);
        var held = await _lines.HoldAsync(first, null, attempts: 1, In10Seconds, CancellationToken.None);
        if (waits)
        {
            Assert.IsType<Turn.StoodInLine>(turn);
            Assert.Null(held);
        }
        else
        {
            Assert.Equal(new Turn.Made(Accepted(push), Line: null), turn);
            Assert.Equal(Accepted(first), held);
        }

        Assert.IsType(waits ? typeof(Turn.Go) : typeof(Turn.Overtaken), await TurnAsync(first, attemptsInLine: 1));
    }

    private static PushAccepted Accepted(SendPush push) => new(push.SubscriptionId, push.UserId, push.MessageId, 3, 202, null, DateTimeOffset.UnixEpoch);

    [Fact]
    public async Task A_head_that_was_accepted_elsewhere_is_not_made_again()
    {
        var head = await HeadAsync();
        await using (var db = _store.Open())
        {
            await db.WriteOutcomesAsync([new Delivery { MessageId = head.MessageId, SubscriptionId = head.SubscriptionId, UserId = head.UserId, State = DeliveryState.Accepted, Attempts = 3, Status = 202, UpdatedAt = DateTimeOffset.UnixEpoch }], [], Cancellation);
        }

        Assert.Equal(Accepted(head), Assert.IsType<Turn.Made>(await TurnAsync(head, attemptsInLine: 1)).Accepted);
    }

    [Fact]
    public async Task Newcomers_are_released_in_order_first_one_then_twice_as_many_each_time()
    {
        var head = await HeadAsync();
        var behind = await AppendAsync(200);
        var sent = new List<SendPush>();
        var batches = new List<int>();

        var next = await AdvanceAsync(head, attempts: 1);
        while (next.Count > 0)
        {
            batches.Add(next.Count);
            List<SendPush> following = [];
            foreach (var push in next)
            {
                // Only the last of a batch brings the next one.
                Assert.Empty(following);
                sent.Add(push);
                following = await AdvanceAsync(push);
            }

            next = following;
        }

        Assert.Equal(behind, sent);
        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 64, 9], batches);
        await AssertNothingWaitsAsync();
    }

    [Fact]
    public async Task A_newcomer_after_a_release_follows_once_the_released_are_done_with()
    {
        var head = await HeadAsync();
        var released = await AppendAsync(1);
        await AdvanceAsync(head, attempts: 1);
        var late = await AppendAsync(1);

        Assert.Equal(late, await AdvanceAsync(released[0]));
    }

    [Fact]
    public async Task When_a_released_one_must_wait_in_turn_those_behind_it_are_released_after_it_from_one_on()
    {
        var head = await HeadAsync();
        var behind = await AppendAsync(6);
        await AdvanceAsync(head, attempts: 1);
        Assert.Equal(behind[1..3], await AdvanceAsync(behind[0]));

        await _lines.HoldAsync(behind[1], (await GoAsync(behind[1], 0)).Line, attempts: 1, In10Seconds, CancellationToken.None);
        Assert.Equal(new Turn.Overtaken(), await TurnAsync(behind[2], attemptsInLine: 0));

        Assert.Equal(behind[2..3], await AdvanceAsync(behind[1], attempts: 1));
        Assert.Equal(behind[3..5], await AdvanceAsync(behind[2]));
    }

    [Fact]
    public async Task A_released_one_that_comes_before_its_turn_is_released_again_when_its_turn_comes()
    {
        var head = await HeadAsync();
        var behind = await AppendAsync(4);
        await AdvanceAsync(head, attempts: 1);
        Assert.Equal(behind[1..3], await AdvanceAsync(behind[0]));

        Assert.Equal(new Turn.Overtaken(), await TurnAsync(behind[2], attemptsInLine: 0));

        Assert.Equal(behind[2..4], await AdvanceAsync(behind[1]));
    }

    [Fact]
    public async Task Another_worker_carries_a_line_on_with_its_order_and_attempts()
    {
        var head = await HeadAsync(attempts: 3);
        var behind = await AppendAsync(2);

        await using var other = new WaitingLines(_store.Factory, _time, NullLogger<WaitingLines>.Instance);

        Assert.Equal([new ReleasedPush(head, 3, In10Seconds, TraceParent: null)], await other.TakeHeadsAsync(Cancellation).ToListAsync(Cancellation));
        Assert.Equal(behind[..1], await AdvanceAsync(head, attempts: 3, other));
        Assert.Equal(behind[1..], await AdvanceAsync(behind[0]));
        Assert.Empty(await AdvanceAsync(behind[1], lines: other));
        await AssertNothingWaitsAsync();
    }

    [Fact]
    public async Task What_was_released_before_its_push_service_asked_to_be_left_alone_is_held_back()
    {
        var head = await HeadAsync();
        var behind = await AppendAsync(3);
        await AdvanceAsync(head, attempts: 1);
        Assert.Equal(behind[1..], await AdvanceAsync(behind[0]));

        await _lines.AdvanceAsync((await GoAsync(behind[1], 0)).Line, TimeSpan.FromMinutes(1), _ => Task.FromException(new InvalidOperationException("It is on its way.")), Cancellation);

        var notYet = Assert.IsType<Turn.NotYet>(await TurnAsync(behind[2], attemptsInLine: 0));
        Assert.Equal((0, TimeSpan.FromMinutes(1), behind[2].MessageId), (notYet.Attempts, notYet.Delay, notYet.Line?.HeadMessageId));
        _time.Advance(TimeSpan.FromSeconds(59));
        Assert.Empty(await AdvanceAsync(behind[2]));
        await AssertNothingWaitsAsync();
    }

    [Fact]
    public async Task After_a_crash_before_a_push_was_held_back_its_first_copy_waits_in_its_place()
    {
        var head = await HeadAsync();

        Assert.Equal(new Turn.NotYet(1, TimeSpan.FromSeconds(10)), await TurnAsync(head));

        // The same at a later attempt: it came out of the line then.
        await _lines.HoldAsync(head, (await GoAsync(head, 1)).Line, attempts: 2, In10Seconds, CancellationToken.None);
        Assert.Equal(new Turn.NotYet(2, TimeSpan.FromSeconds(10)), await TurnAsync(head, attemptsInLine: 1, isRedelivered: true));
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(new Turn.NotYet(2, TimeSpan.Zero), await TurnAsync(head, attemptsInLine: 1, isRedelivered: true));

        // Not redelivered by the bus, it is an old copy.
        Assert.Equal(new Turn.Overtaken(), await TurnAsync(head, attemptsInLine: 1));
    }

    [Fact]
    public async Task After_a_crash_before_a_push_was_taken_out_of_its_line_it_goes_again_and_the_second_copies_are_dropped()
    {
        var head = await HeadAsync();
        var behind = await AppendAsync(1);
        await Assert.ThrowsAsync<OperationCanceledException>(async () =>
            await _lines.AdvanceAsync((await GoAsync(head, 1)).Line, TimeSpan.Zero, _ => Task.FromException(new OperationCanceledException()), Cancellation));

        Assert.Equal(behind, await AdvanceAsync(head, attempts: 1));
        Assert.Empty(await AdvanceAsync(behind[0]));
        Assert.Equal(new Turn.Overtaken(), await TurnAsync(behind[0], attemptsInLine: 0));
    }

    [Fact]
    public async Task A_push_that_a_cut_off_worker_holds_back_joins_the_line_that_has_come_to_be()
    {
        var head = await HeadAsync();
        var late = Push();

        await _lines.HoldAsync(late, null, attempts: 1, In10Seconds, CancellationToken.None);

        Assert.Equal(new Turn.Overtaken(), await TurnAsync(late, attemptsInLine: 1));
        Assert.Equal([late], await AdvanceAsync(head, attempts: 1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_cut_off_worker_could_not_write_is_not_written_later(bool isNewLine)
    {
        var (push, cutOff) = (Push(), new CancellationTokenSource());
        if (!isNewLine)
        {
            await _lines.HoldAsync(push, null, attempts: 1, In10Seconds, CancellationToken.None);
        }

        var line = isNewLine ? null : (await GoAsync(push, 1)).Line;
        _failures.FailNext();
        var holding = _lines.HoldAsync(push, line, attempts: 2, In10Seconds, cutOff.Token);
        await Eventually.TrueAsync(() => _failures.HasFailed);
        await cutOff.CancelAsync();
        await Eventually.TrueAsync(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return holding.IsCompleted;
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => holding);
        Assert.Equal(isNewLine ? null : 1, Assert.IsType<Turn.Go>(await TurnAsync(push, attemptsInLine: isNewLine ? null : 1)).Line?.Attempts);
    }

    [Fact]
    public async Task A_cut_off_worker_that_holds_back_late_does_not_set_the_attempts_back()
    {
        var head = await HeadAsync();
        var before = (await GoAsync(head, 1)).Line;
        await _lines.HoldAsync(head, before, attempts: 2, In10Seconds, CancellationToken.None);
        await _lines.HoldAsync(head, (await GoAsync(head, 2)).Line, attempts: 3, In10Seconds, CancellationToken.None);

        await _lines.HoldAsync(head, before, attempts: 2, In10Seconds, CancellationToken.None);

        await GoAsync(head, 3);
    }

    [Fact]
    public async Task A_push_that_joins_a_line_while_a_cut_off_worker_ends_it_is_not_lost()
    {
        var head = await HeadAsync();
        var line = (await GoAsync(head, 1)).Line!;
        var late = (await AppendAsync(1))[0];

        // That worker read the line before.
        var sent = new List<SendPush>();
        await _lines.AdvanceAsync(line, TimeSpan.Zero, next => Add(sent, next), Cancellation);
        Assert.Equal([late], sent);
        await _lines.AdvanceAsync(line, TimeSpan.Zero, next => Add(sent, next), Cancellation);

        Assert.Empty(await AdvanceAsync(late));
        await AssertNothingWaitsAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_newer_push_of_the_same_topic_supersedes_older_ones_in_the_line(bool isKilledOnceItWasTold)
    {
        var head = Push() with { Topic = "room" };
        await _lines.HoldAsync(head, null, attempts: 1, In10Seconds, CancellationToken.None);
        var other = (await AppendAsync(1))[0];
        var (older, newer) = (Push() with { Topic = "room" }, Push() with { Topic = "room" });
        Assert.Empty(Assert.IsType<Turn.StoodInLine>(await TurnAsync(older)).Older);

        Assert.Equal([older], Assert.IsType<Turn.StoodInLine>(await TurnAsync(newer)).Older);
        if (!isKilledOnceItWasTold)
        {
            await _lines.TakeOutAsync([older], Cancellation);
        }

        var superseded = Assert.IsType<Turn.Superseded>(await TurnAsync(head, attemptsInLine: 1));
        var sent = new List<SendPush>();
        await _lines.AdvanceAsync(superseded.Line, TimeSpan.Zero, next => Add(sent, next), Cancellation);
        Assert.Equal([other], sent);
        if (isKilledOnceItWasTold)
        {
            Assert.Equal([older, newer], await AdvanceAsync(other));
            superseded = Assert.IsType<Turn.Superseded>(await TurnAsync(older, attemptsInLine: 0));
            await _lines.AdvanceAsync(superseded.Line, TimeSpan.Zero, next => Add(sent, next), Cancellation);
            Assert.Equal([other], sent);
        }
        else
        {
            Assert.Equal([newer], await AdvanceAsync(other));
        }

        Assert.Empty(await AdvanceAsync(newer));
    }

    public static TheoryData<string, TimeSpan, TimeSpan, bool> WhatSupersedes => new()
    {
        { "ada", TimeSpan.Zero, TimeSpan.Zero, true },
        { "ada", TimeSpan.FromSeconds(1), TimeSpan.Zero, true },

        // Replayed; stale; of another owner.
        { "ada", -TimeSpan.FromSeconds(1), TimeSpan.Zero, false },
        { "ada", TimeSpan.Zero, TimeSpan.FromMinutes(2), false },
        { "grace", TimeSpan.FromSeconds(1), TimeSpan.Zero, false },
    };

    [Theory]
    [MemberData(nameof(WhatSupersedes))]
    public async Task Only_what_was_published_later_for_the_same_user_and_is_worth_sending_supersedes(string userId, TimeSpan later, TimeSpan after, bool supersedes)
    {
        var head = Push() with { Topic = "room" };
        await _lines.HoldAsync(head, null, attempts: 1, In10Seconds, CancellationToken.None);
        var newcomer = Push() with { Topic = "room", UserId = userId, ExpiresAt = head.ExpiresAt + later };
        _time.Advance(after);
        await TurnAsync(newcomer);

        Assert.IsType(supersedes ? typeof(Turn.Superseded) : typeof(Turn.Go), await TurnAsync(head, attemptsInLine: 1));
    }

    [Fact]
    public async Task A_replayed_push_does_not_put_out_a_newer_one_that_waits()
    {
        var head = await HeadAsync();
        var (older, newer) = (Push() with { Topic = "room" }, Push() with { Topic = "room" });
        newer = newer with { ExpiresAt = older.ExpiresAt + TimeSpan.FromSeconds(1) };
        await TurnAsync(newer);

        Assert.Empty(Assert.IsType<Turn.StoodInLine>(await TurnAsync(older)).Older);

        Assert.Equal([newer], await AdvanceAsync(head, attempts: 1));
        Assert.Equal([older], await AdvanceAsync(newer));
    }

    [Fact]
    public async Task What_was_released_to_a_bus_that_has_forgotten_it_is_released_again()
    {
        var head = await HeadAsync();
        var behind = await AppendAsync(4);
        await AdvanceAsync(head, attempts: 1);
        Assert.Equal(behind[1..3], await AdvanceAsync(behind[0]));

        Assert.Equal([behind[1]], await _lines.TakeHeadsAsync(Cancellation).Select(released => released.Push).ToListAsync(Cancellation));

        Assert.Equal(behind[2..3], await AdvanceAsync(behind[1]));
        Assert.Equal(behind[3..], await AdvanceAsync(behind[2]));
    }

    [Fact]
    public async Task Superseding_a_released_push_does_not_break_the_line()
    {
        var head = await HeadAsync();
        await AppendAsync(1);
        var older = Push() with { Topic = "room" };
        await TurnAsync(older);
        var last = (await AppendAsync(1))[0];
        Assert.Equal(older, (await AdvanceAsync((await AdvanceAsync(head, attempts: 1))[0]))[0]);

        // It is on its way, at the head: too late for it to be put out, so it is dropped when it comes.
        var newer = Push() with { Topic = "room" };
        Assert.Empty(Assert.IsType<Turn.StoodInLine>(await TurnAsync(newer)).Older);
        var superseded = Assert.IsType<Turn.Superseded>(await TurnAsync(older, attemptsInLine: 0));
        await _lines.AdvanceAsync(superseded.Line, TimeSpan.Zero, _ => Task.CompletedTask, Cancellation);

        Assert.Equal([newer], await AdvanceAsync(last));
    }

    [Fact]
    public async Task A_head_long_overdue_is_taken_to_be_lost_once_a_while_and_by_one_worker()
    {
        var head = await HeadAsync(attempts: 2);
        await AppendAsync(1);
        Assert.Empty(await OverdueAsync(_lines, In10Seconds - TimeSpan.FromSeconds(1)));
        _time.Advance(TimeSpan.FromSeconds(11));
        await using var other = new WaitingLines(_store.Factory, _time, NullLogger<WaitingLines>.Instance);

        var overdue = await Task.WhenAll(OverdueAsync(_lines, In10Seconds), OverdueAsync(other, In10Seconds));

        Assert.Equal((head, 2), overdue.SelectMany(heads => heads).Select(lost => (lost.Push, lost.Attempts)).Single());
    }

    [Fact]
    public async Task However_many_heads_are_overdue_each_is_taken_when_it_is_sent()
    {
        const int count = 450;
        for (var i = 0; i < count; i++)
        {
            await _lines.HoldAsync(Push() with { SubscriptionId = Guid.NewGuid() }, null, attempts: 1, In10Seconds, CancellationToken.None);
        }

        _time.Advance(TimeSpan.FromSeconds(11));

        // As where the bus takes no more, or the host stops.
        var taken = await _lines.TakeOverdueAsync(In10Seconds, Cancellation).Take(3).ToListAsync(Cancellation);
        var rest = await OverdueAsync(_lines, In10Seconds);

        Assert.Equal((3, count - 3), (taken.Count, rest.Count));
        Assert.Equal(count, taken.Concat(rest).Select(head => head.Push.SubscriptionId).Distinct().Count());
    }

    [Fact]
    public async Task A_head_that_was_released_just_now_is_not_overdue_however_long_it_has_lain()
    {
        var head = await HeadAsync();
        await AppendAsync(1);
        _time.Advance(TimeSpan.FromHours(1));
        await AdvanceAsync(head, attempts: 1);

        Assert.Empty(await OverdueAsync(_lines, _time.GetUtcNow() - TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public async Task A_read_that_fails_while_the_line_advances_is_made_up_for()
    {
        var head = await HeadAsync();
        var behind = await AppendAsync(2);
        var line = (await GoAsync(head, 1)).Line;
        _failures.FailNext();
        var sent = new List<SendPush>();

        var advancing = _lines.AdvanceAsync(line, TimeSpan.Zero, next => Add(sent, next), Cancellation);
        await Eventually.GetAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(advancing.IsCompleted);
            },
            isCompleted => isCompleted);

        await advancing;
        Assert.Equal(behind[..1], sent);
        Assert.True(_failures.HasFailed);
    }

    [Fact]
    public async Task Of_however_many_lines_a_bus_that_has_forgotten_them_gets_each_head()
    {
        var heads = Enumerable.Range(0, 450).Select(_ => Push() with { SubscriptionId = Guid.NewGuid() }).ToList();
        await Task.WhenAll(heads.Select(head => _lines.HoldAsync(head, null, attempts: 1, In10Seconds, CancellationToken.None)));

        Assert.Equivalent(heads, await _lines.TakeHeadsAsync(Cancellation).Select(released => released.Push).ToListAsync(Cancellation), strict: true);
    }

    [Fact]
    public async Task Of_two_writes_to_one_line_that_come_together_the_second_sees_the_first()
    {
        using var outage = new StoreOutage(_time, NullLogger.Instance);
        await using var writer = new WaitingLineWriter(_store.Factory, outage);
        using var bothAreThere = new ManualResetEventSlim();
        await HeadAsync();
        var last = new List<long>();

        var writes = new[]
        {
            writer.WriteAsync(Guid.NewGuid(), null, _ => bothAreThere.Wait(Cancellation), CancellationToken.None),
            AddAsync(),
            AddAsync(),
        };
        bothAreThere.Set();
        await Task.WhenAll(writes);

        Assert.Equal([1, 2], last);

        Task AddAsync() => writer.WriteAsync(_subscription, null, lines =>
        {
            last.Add(lines.LastOf(_subscription));
            lines.Add(new WaitingPush { SubscriptionId = _subscription, Position = last[^1] + 1, MessageId = Guid.NewGuid(), Command = "{}" });
        }, CancellationToken.None);
    }

    [Fact]
    public async Task A_dropped_line_is_gone_and_what_waited_is_told_in_order_however_much_it_is()
    {
        var head = await HeadAsync(attempts: 2);
        var behind = await AppendAsync(600);
        var line = (await GoAsync(head, 2)).Line!;

        var told = new List<SendPush>();
        await _lines.DropAsync(line, push =>
        {
            told.Add(push);
            return Task.CompletedTask;
        }, Cancellation);
        Assert.Equal(behind, told);

        Assert.Equal(new Turn.Overtaken(), await TurnAsync(behind[0], attemptsInLine: 0));
        await AssertNothingWaitsAsync();
    }

    [Fact]
    public async Task A_cut_off_worker_ends_no_line_that_has_begun_since()
    {
        var head = await HeadAsync();
        var line = (await GoAsync(head, 1)).Line!;
        Assert.Empty(await AdvanceAsync(head, attempts: 1));
        var later = await HeadAsync();

        await _lines.AdvanceAsync(line, TimeSpan.Zero, _ => Task.CompletedTask, Cancellation);

        await GoAsync(later, 1);
        Assert.Equal([later], await _lines.TakeHeadsAsync(Cancellation).Select(released => released.Push).ToListAsync(Cancellation));
    }

    [Fact]
    public async Task A_cut_off_worker_moves_no_line_that_has_moved_since()
    {
        var head = await HeadAsync();
        var behind = await AppendAsync(3);
        var line = (await GoAsync(head, 1)).Line!;
        await AdvanceAsync(head, attempts: 1);
        await _lines.HoldAsync(behind[0], (await GoAsync(behind[0], 0)).Line, attempts: 1, In10Seconds, CancellationToken.None);

        await _lines.AdvanceAsync(line, TimeSpan.Zero, _ => Task.CompletedTask, Cancellation);

        await GoAsync(behind[0], 1);
    }

    [Fact]
    public async Task A_superseded_push_that_is_the_head_by_now_is_not_taken_out()
    {
        var head = await HeadAsync();
        var (older, newer) = (Push() with { Topic = "room" }, Push() with { Topic = "room" });
        await TurnAsync(older);
        Assert.Equal([older], Assert.IsType<Turn.StoodInLine>(await TurnAsync(newer)).Older);
        Assert.Equal([older], await AdvanceAsync(head, attempts: 1));

        await _lines.TakeOutAsync([older], Cancellation);

        Assert.Equal([older], await _lines.TakeHeadsAsync(Cancellation).Select(released => released.Push).ToListAsync(Cancellation));
    }

    [Fact]
    public async Task Of_two_workers_that_look_at_once_one_takes_each_head()
    {
        for (var i = 0; i < 2; i++)
        {
            await _lines.HoldAsync(Push() with { SubscriptionId = Guid.NewGuid() }, null, attempts: 1, In10Seconds, CancellationToken.None);
        }

        _time.Advance(TimeSpan.FromSeconds(11));
        await using var other = new WaitingLines(_store.Factory, _time, NullLogger<WaitingLines>.Instance);
        await using var first = _lines.TakeOverdueAsync(In10Seconds, Cancellation).GetAsyncEnumerator(Cancellation);
        Assert.True(await first.MoveNextAsync());

        Assert.Single(await OverdueAsync(other, In10Seconds));
        Assert.False(await first.MoveNextAsync());
    }

    [Fact]
    public async Task A_copy_of_one_that_was_not_released_keeps_none_before_it_from_being_released()
    {
        var head = await HeadAsync();
        var behind = await AppendAsync(7);
        await AdvanceAsync(head, attempts: 1);
        Assert.Equal(behind[1..3], await AdvanceAsync(behind[0]));

        Assert.Equal(new Turn.Overtaken(), await TurnAsync(behind[4], attemptsInLine: 0));

        await AdvanceAsync(behind[1]);
        Assert.Equal(behind[3..7], await AdvanceAsync(behind[2]));
    }

    private DateTimeOffset In10Seconds => field == default ? field = _time.GetUtcNow() + TimeSpan.FromSeconds(10) : field;

    private Task<Turn> TurnAsync(SendPush push, int? attemptsInLine = null, bool isRedelivered = false, WaitingLines? lines = null) =>
        (lines ?? _lines).TakeTurnAsync(push, attemptsInLine, isRedelivered, CancellationToken.None, Cancellation);

    private async Task<Turn.Go> GoAsync(SendPush push, int attempts, WaitingLines? lines = null)
    {
        var go = Assert.IsType<Turn.Go>(await TurnAsync(push, attempts, lines: lines));
        Assert.Equal((push.MessageId, attempts), (go.Line?.HeadMessageId, go.Attempts));
        return go;
    }

    private static async Task<List<ReleasedPush>> OverdueAsync(WaitingLines lines, DateTimeOffset before) => await lines.TakeOverdueAsync(before, Cancellation).ToListAsync(Cancellation);

    private async Task<SendPush> HeadAsync(int attempts = 1)
    {
        var head = Push();
        await _lines.HoldAsync(head, null, attempts, In10Seconds, CancellationToken.None);
        return head;
    }

    /// <summary>Takes the push's turn and its leave; what follows it.</summary>
    private async Task<List<SendPush>> AdvanceAsync(SendPush push, int attempts = 0, WaitingLines? lines = null)
    {
        var sent = new List<SendPush>();
        await (lines ?? _lines).AdvanceAsync((await GoAsync(push, attempts, lines)).Line, TimeSpan.Zero, next => Add(sent, next), Cancellation);
        return sent;
    }

    private async Task<List<SendPush>> AppendAsync(int count)
    {
        var pushes = Enumerable.Range(0, count).Select(_ => Push()).ToList();
        foreach (var push in pushes)
        {
            Assert.IsType<Turn.StoodInLine>(await TurnAsync(push));
        }

        return pushes;
    }

    private async Task AssertNothingWaitsAsync()
    {
        await using var db = _store.Open();
        Assert.Equal((0, 0), (await db.WaitingLines.CountAsync(Cancellation), await db.WaitingPushes.CountAsync(Cancellation)));
    }

    private static Task Add(List<SendPush> sent, ReleasedPush next)
    {
        sent.Add(next.Push);
        return Task.CompletedTask;
    }

    private SendPush Push() => new()
    {
        SubscriptionId = _subscription,
        UserId = "ada",
        MessageId = Guid.NewGuid(),
        Payload = "{}",
        Urgency = "normal",
        TtlSeconds = 60,
        ExpiresAt = _time.GetUtcNow() + TimeSpan.FromMinutes(1),
    };
}
