using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Time.Testing;
using Notify.Contracts;
using Notify.Sending;
using Notify.Tests.Store;

namespace Notify.Tests.Sending;

public sealed class WaitingLinesTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new();
    private readonly Guid _subscription = Guid.NewGuid();
    private readonly Failures _failures = new();
    private TestStore _store = null!;
    private WaitingLines _lines = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _store = await TestStore.CreateAsync(_failures);
        _lines = new WaitingLines(_store.Factory, _time);
    }

    public async ValueTask DisposeAsync()
    {
        await _lines.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Fact]
    public void Where_nothing_waits_there_is_no_line() => Assert.Equal(Standing.NoLine, _lines.StandingOf(Push()));

    [Fact]
    public async Task The_first_to_wait_is_the_head_and_others_are_newcomers()
    {
        var head = Push();
        await HoldAsync(head, attempts: 2);

        Assert.Equal(Standing.Head, _lines.StandingOf(head));
        Assert.Equal(2, _lines.HeadOf(head).Attempts);
        Assert.Equal(Standing.Newcomer, _lines.StandingOf(Push()));
        Assert.Equal(Standing.NoLine, _lines.StandingOf(Push() with { SubscriptionId = Guid.NewGuid() }));
    }

    [Fact]
    public async Task Newcomers_are_released_in_order_first_one_then_twice_as_many_each_time()
    {
        var head = Push();
        await HoldAsync(head);
        var behind = await AppendAsync(200);
        Assert.All(behind, push => Assert.Equal(Standing.Behind, _lines.StandingOf(push)));
        var sent = new List<SendPush>();
        var batches = new List<int>();

        var next = await AdvanceAsync(_lines, head);
        while (next.Count > 0)
        {
            batches.Add(next.Count);
            List<SendPush> following = [];
            foreach (var push in next)
            {
                // Only the last of a batch brings the next one.
                Assert.Empty(following);
                Assert.Equal(Standing.Head, _lines.StandingOf(push));
                sent.Add(push);
                following = await AdvanceAsync(_lines, push);
            }

            next = following;
        }

        Assert.Equal(behind, sent);
        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 64, 9], batches);
        Assert.Equal(0, _lines.Count);
        await using var db = _store.Open();
        Assert.Equal(0, await db.WaitingPushes.CountAsync(Cancellation));
    }

    [Fact]
    public async Task A_newcomer_after_a_release_follows_once_the_released_are_done_with()
    {
        var head = Push();
        await HoldAsync(head);
        var released = await AppendAsync(1);
        await AdvanceAsync(_lines, head);
        var late = await AppendAsync(1);

        Assert.Equal(late, await AdvanceAsync(_lines, released[0]));
    }

    [Fact]
    public async Task When_a_released_one_must_wait_in_turn_those_behind_it_are_released_after_it_from_one_on()
    {
        var head = Push();
        await HoldAsync(head);
        var behind = await AppendAsync(6);
        await AdvanceAsync(_lines, head);
        Assert.Equal(behind[1..3], await AdvanceAsync(_lines, behind[0]));

        await HoldAsync(behind[1]);
        Assert.Equal(Standing.Behind, _lines.StandingOf(behind[2]));

        Assert.Equal(behind[2..3], await AdvanceAsync(_lines, behind[1]));
        Assert.Equal(behind[3..5], await AdvanceAsync(_lines, behind[2]));
    }

    [Fact]
    public async Task The_lines_of_an_earlier_run_are_taken_up_with_their_order_and_attempts()
    {
        var head = Push();
        await HoldAsync(head, attempts: 3);
        var behind = await AppendAsync(2);

        await using var later = new WaitingLines(_store.Factory, _time);
        var heads = await later.LoadAsync(Cancellation);

        Assert.Equal(head, Assert.Single(heads).Push);
        Assert.Equal(_time.GetUtcNow() + TimeSpan.FromSeconds(10), heads[0].At);
        Assert.Equal(3, later.HeadOf(head).Attempts);
        Assert.Equal(Standing.Behind, later.StandingOf(behind[1]));
        Assert.Equal(behind[..1], await AdvanceAsync(later, head));
    }

    [Fact]
    public async Task A_head_long_overdue_is_taken_to_be_lost_once_a_while()
    {
        var head = Push();
        await HoldAsync(head, attempts: 2);
        await AppendAsync(1);
        _time.Advance(TimeSpan.FromSeconds(60));
        Assert.Empty(await _lines.TakeOverdueAsync(Cancellation));
        _time.Advance(TimeSpan.FromSeconds(11));

        var overdue = Assert.Single(await _lines.TakeOverdueAsync(Cancellation));
        Assert.Equal((head, 2), (overdue.Push, overdue.Attempts));
        Assert.Empty(await _lines.TakeOverdueAsync(Cancellation));
        _time.Advance(TimeSpan.FromMinutes(2));
        Assert.Single(await _lines.TakeOverdueAsync(Cancellation));
    }

    [Fact]
    public async Task A_head_that_was_released_just_now_is_not_overdue_however_long_it_has_lain()
    {
        var head = Push();
        await HoldAsync(head);
        await AppendAsync(1);
        _time.Advance(TimeSpan.FromHours(1));
        await AdvanceAsync(_lines, head);

        Assert.Empty(await _lines.TakeOverdueAsync(Cancellation));
    }

    [Fact]
    public async Task A_read_that_fails_while_the_line_advances_is_made_up_for()
    {
        var head = Push();
        await HoldAsync(head);
        var behind = await AppendAsync(2);
        _failures.FailNext();

        var advancing = AdvanceAsync(_lines, head);
        await Eventually.GetAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(advancing.IsCompleted);
            },
            isCompleted => isCompleted);

        Assert.Equal(behind[..1], await advancing);
        Assert.True(_failures.HasFailed);
    }

    [Fact]
    public async Task A_dropped_line_is_handed_back_whole()
    {
        var head = Push();
        await HoldAsync(head, attempts: 2);
        var behind = await AppendAsync(2);

        var dropped = await _lines.DropAsync(_subscription, Cancellation);

        Assert.Equal([(head, 2), (behind[0], 0), (behind[1], 0)], dropped);
        Assert.Equal(Standing.NoLine, _lines.StandingOf(head));
        Assert.Empty(await _lines.DropAsync(_subscription, Cancellation));
    }

    private static async Task<List<SendPush>> AdvanceAsync(WaitingLines lines, SendPush push) =>
        [.. (await lines.AdvanceAsync(push, TimeSpan.Zero, Cancellation)).Select(released => released.Push)];

    private Task HoldAsync(SendPush push, int attempts = 1) => _lines.HoldAsync(push, attempts, _time.GetUtcNow() + TimeSpan.FromSeconds(10));

    private async Task<List<SendPush>> AppendAsync(int count)
    {
        var pushes = Enumerable.Range(0, count).Select(_ => Push()).ToList();
        foreach (var push in pushes)
        {
            await _lines.AppendAsync(push);
        }

        return pushes;
    }

    private SendPush Push() => new()
    {
        SubscriptionId = _subscription,
        UserId = "ada",
        MessageId = Guid.NewGuid(),
        Payload = "{}",
        Topic = "topic",
        Urgency = "normal",
        TtlSeconds = 60,
        ExpiresAt = DateTimeOffset.UnixEpoch,
    };

    /// <summary>Lets one query fail, as a locked database would.</summary>
    private sealed class Failures : DbCommandInterceptor
    {
        private bool _failNext;

        public bool HasFailed { get; private set; }

        public void FailNext() => _failNext = true;

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default)
        {
            if (_failNext)
            {
                (_failNext, HasFailed) = (false, true);
                throw new SqliteException("database is locked", 5);
            }

            return new(result);
        }
    }
}
