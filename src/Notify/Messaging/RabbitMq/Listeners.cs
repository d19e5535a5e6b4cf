namespace Notify.Messaging.RabbitMq;

/// <summary>Whether anybody listens to an event, by the broker's word: one event in a while goes out as a question, and what it finds counts for those after it.</summary>
internal sealed class Listeners(TimeProvider time)
{
    /// <summary>How often the broker is asked, where there are that many events.</summary>
    public static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(50);

    /// <summary>How long its word that nobody listens counts. Beyond that everything is published.</summary>
    public static readonly TimeSpan BelievedFor = 2 * AskEvery;

    /// <summary>How long it counts where the broker is asked again in time, and has not answered yet. One with much to do answers late, and would have more to do by all that is published meanwhile.</summary>
    public static readonly TimeSpan BelievedMeanwhile = TimeSpan.FromSeconds(1);

    private volatile Answer? _answer;
    private int _asking;

    /// <summary>Whether an event is to be published: not where nobody listens, nor where it went out as the question.</summary>
    /// <param name="askAsync">Publishes it as the question; whether anybody listens.</param>
    public async ValueTask<bool> MayHearAsync(Func<Task<bool>> askAsync)
    {
        var (answer, now) = (_answer, time.GetTimestamp());
        var age = answer is null ? TimeSpan.MaxValue : time.GetElapsedTime(answer.At, now);
        if (age < AskEvery || Interlocked.Exchange(ref _asking, 1) == 1)
        {
            return answer is null || answer.IsListenedTo || age >= (answer.IsAskedAgain ? BelievedMeanwhile : BelievedFor);
        }

        try
        {
            _answer = age < BelievedFor ? answer! with { IsAskedAgain = true } : null;
            var isListenedTo = await askAsync();
            _answer = new Answer(isListenedTo, time.GetTimestamp());
            return false;
        }
        catch
        {
            _answer = null;
            throw;
        }
        finally
        {
            Volatile.Write(ref _asking, 0);
        }
    }

    private sealed record Answer(bool IsListenedTo, long At, bool IsAskedAgain = false);
}
