using Notify.Messaging;

namespace Notify.Tests.Messaging;

public sealed class OrderedTurnsTests
{
    private readonly OrderedTurns _turns = new();
    private readonly Guid _subscription = Guid.NewGuid();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void The_first_turn_does_not_wait() => Assert.True(_turns.Take(_subscription).WaitAsync(Cancellation).IsCompleted);

    [Fact]
    public async Task A_turn_waits_for_the_one_before_it()
    {
        var first = _turns.Take(_subscription);
        var second = _turns.Take(_subscription);
        var wait = second.WaitAsync(Cancellation);
        Assert.False(wait.IsCompleted);

        first.Dispose();

        await wait;
    }

    [Fact]
    public void Another_subscription_does_not_wait()
    {
        _ = _turns.Take(_subscription);

        Assert.True(_turns.Take(Guid.NewGuid()).WaitAsync(Cancellation).IsCompleted);
    }

    [Fact]
    public async Task A_turn_given_up_early_does_not_let_the_next_one_overtake()
    {
        var first = _turns.Take(_subscription);
        var second = _turns.Take(_subscription);
        var third = _turns.Take(_subscription).WaitAsync(Cancellation);
        await first.WaitAsync(Cancellation);

        second.Dispose();
        Assert.False(third.IsCompleted);
        first.Dispose();

        await third;
    }

    [Fact]
    public void A_turn_is_claimed_by_its_id_once()
    {
        var sent = _turns.Take(_subscription);

        Assert.Same(sent, _turns.Claim(sent.Id, _subscription));
        Assert.NotSame(sent, _turns.Claim(sent.Id, _subscription));
    }

    [Fact]
    public async Task A_message_without_a_turn_goes_before_those_still_in_the_queue_but_not_beside_the_one_at_work()
    {
        var atWork = _turns.Take(_subscription);
        await atWork.WaitAsync(Cancellation);
        var queued = _turns.Take(_subscription).WaitAsync(Cancellation);
        var late = _turns.Claim(null, _subscription);
        var lateWait = late.WaitAsync(Cancellation);
        Assert.False(lateWait.IsCompleted);

        atWork.Dispose();

        await lateWait;
        Assert.False(queued.IsCompleted);
        late.Dispose();
        await queued;
    }

    [Fact]
    public void A_message_without_a_turn_does_not_wait_for_one_that_has_not_come_yet()
    {
        _ = _turns.Take(_subscription);

        Assert.True(_turns.Claim(null, _subscription).WaitAsync(Cancellation).IsCompleted);
    }

    [Fact]
    public async Task Nothing_is_kept_of_a_subscription_whose_turns_have_ended()
    {
        var turns = Enumerable.Range(0, 3).Select(_ => _turns.Take(_subscription)).ToList();
        turns[1].Dispose();
        turns[1].Dispose();
        await turns[0].WaitAsync(Cancellation);
        turns[0].Dispose();
        Assert.Equal(1, _turns.Count);

        turns[2].Dispose();

        Assert.Equal(0, _turns.Count);
    }

    [Fact]
    public async Task Turns_go_in_the_order_in_which_they_were_taken_whoever_comes_to_wait_first()
    {
        var seen = new List<int>();
        var turns = Enumerable.Range(0, 500).Select(_ => _turns.Take(_subscription)).ToList();

        await Task.WhenAll(Enumerable.Range(0, turns.Count).Reverse().Select(index => Task.Run(
            async () =>
            {
                using var turn = turns[index];
                await turn.WaitAsync(Cancellation);
                seen.Add(index);
            },
            Cancellation)));

        Assert.Equal(Enumerable.Range(0, turns.Count), seen);
    }
}
