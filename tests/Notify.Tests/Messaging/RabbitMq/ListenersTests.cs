using Microsoft.Extensions.Time.Testing;
using Notify.Messaging.RabbitMq;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class ListenersTests
{
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(1);

    private readonly FakeTimeProvider _time = new();
    private readonly Listeners _listeners;
    private int _asked;

    public ListenersTests() => _listeners = new Listeners(_time);

    [Fact]
    public async Task While_nobody_listens_one_event_in_a_while_goes_out_and_that_is_the_question()
    {
        for (var sent = 0; sent < 100; sent++)
        {
            Assert.False(await MayHearAsync(isListenedTo: false));
            _time.Advance(Moment);
        }

        Assert.Equal(2, _asked);
    }

    [Fact]
    public async Task While_somebody_listens_all_others_are_published_too()
    {
        Assert.False(await MayHearAsync(isListenedTo: true));

        Assert.True(await MayHearAsync(isListenedTo: true));
    }

    [Fact]
    public async Task Before_the_first_answer_and_after_a_silence_all_others_are_published()
    {
        var answer = new TaskCompletionSource<bool>();
        var question = _listeners.MayHearAsync(() => answer.Task);
        Assert.True(await MayHearAsync(isListenedTo: false));
        answer.SetResult(false);
        Assert.False(await question);
        Assert.False(await MayHearAsync(isListenedTo: false));

        _time.Advance(Listeners.BelievedFor);
        question = _listeners.MayHearAsync(() => new TaskCompletionSource<bool>().Task);
        Assert.True(await MayHearAsync(isListenedTo: false));
    }

    [Fact]
    public async Task What_was_asked_again_in_time_is_believed_until_a_slow_broker_answers_but_not_for_long()
    {
        await MayHearAsync(isListenedTo: false);
        _time.Advance(Listeners.AskEvery);
        var answer = new TaskCompletionSource<bool>();
        var question = _listeners.MayHearAsync(() => answer.Task);

        _time.Advance(Listeners.BelievedFor);
        Assert.False(await MayHearAsync(isListenedTo: false));
        _time.Advance(Listeners.BelievedMeanwhile);
        Assert.True(await MayHearAsync(isListenedTo: false));

        // Somebody may have begun to listen since it was asked.
        answer.SetResult(false);
        await question;
        question = _listeners.MayHearAsync(() => new TaskCompletionSource<bool>().Task);
        Assert.True(await MayHearAsync(isListenedTo: false));
        Assert.Equal(1, _asked);
    }

    [Fact]
    public async Task A_broker_that_always_answers_slowly_is_believed()
    {
        await MayHearAsync(isListenedTo: false);
        for (var questions = 0; questions < 10; questions++)
        {
            _time.Advance(Listeners.AskEvery);
            var answer = new TaskCompletionSource<bool>();
            var question = _listeners.MayHearAsync(() => answer.Task);
            _time.Advance(3 * Listeners.BelievedFor);
            Assert.False(await MayHearAsync(isListenedTo: false));
            answer.SetResult(false);
            await question;
        }

        Assert.Equal(1, _asked);
    }

    [Fact]
    public async Task A_word_that_is_older_than_the_last_one_does_not_take_its_place()
    {
        // One that takes its time after it has read what was said last, while another asks.
        var time = new InterruptedTime(_time);
        var listeners = new Listeners(time);
        await listeners.MayHearAsync(() => Task.FromResult(false));
        _time.Advance(Listeners.AskEvery);
        time.Interruption = () => Assert.False(listeners.MayHearAsync(() => Task.FromResult(true)).AsTask().GetAwaiter().GetResult());

        Assert.True(await listeners.MayHearAsync(() => throw new InvalidOperationException("It was asked a moment ago.")));
    }

    [Fact]
    public async Task A_question_that_fails_is_no_answer()
    {
        await MayHearAsync(isListenedTo: false);
        _time.Advance(Listeners.AskEvery);

        await Assert.ThrowsAsync<TimeoutException>(async () => await _listeners.MayHearAsync(() => Task.FromException<bool>(new TimeoutException())));

        Assert.False(await MayHearAsync(isListenedTo: true));
        Assert.Equal(2, _asked);
        Assert.True(await MayHearAsync(isListenedTo: true));
    }

    private ValueTask<bool> MayHearAsync(bool isListenedTo) => _listeners.MayHearAsync(() =>
    {
        _asked++;
        return Task.FromResult(isListenedTo);
    });

    private sealed class InterruptedTime(FakeTimeProvider time) : TimeProvider
    {
        public Action? Interruption { get; set; }

        public override long TimestampFrequency => time.TimestampFrequency;

        public override long GetTimestamp()
        {
            var now = time.GetTimestamp();
            var interruption = Interruption;
            Interruption = null;
            interruption?.Invoke();
            return now;
        }
    }
}
