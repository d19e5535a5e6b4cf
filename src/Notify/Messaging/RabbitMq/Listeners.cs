namespace Notify.Messaging.RabbitMq;

/// <summary>Whether anybody listens to an event, by the broker's word: one event in a while goes out as a question, and what it finds counts for those after it.</summary>
internal sealed class Listeners(TimeProvider time)
{
    /// <summary>How often the broker is asked, where there are that many events.</summary>
    public static readonly TimeSpan AskEvery = TimeSpan.FromMilliseconds(50);

    /// <summary>How long its word that nobody listens counts, from the question on. Beyond that everything is published.</summary>
    public static readonly TimeSpan BelievedFor = 2 * AskEvery;

    /// <summary>
    /// How long it counts where the broker is asked again in time and has not answered yet. One with much to do answers late, and would have more to do by all that is published meanwhile.
    /// </summary>
    public static readonly TimeSpan BelievedMeanwhile = TimeSpan.FromSeconds(1);

    private volatile Answer? _answer;
    private int _asking;

    /// <summary>Whether an event is to be published: not where nobody listens, nor where it went out as the question.</summary>
    /// <param name="askAsync">Publishes it as the question; whether anybody listens.</param>
    public async ValueTask<bool> MayHearAsync(Func<Task<bool>> askAsync)
    {
        if (IsDue(_answer) && Interlocked.Exchange(ref _asking, 1) == 0)
        {
            try
            {
                // Another may have asked meanwhile.
                if (IsDue(_answer))
                {
                    await AskAsync(askAsync);
                    return false;
                }
            }
            finally
            {
                Volatile.Write(ref _asking, 0);
            }
        }

        return _answer is not { IsListenedTo: false } answer || time.GetElapsedTime(answer.AskedAt) >= (answer.IsAskedAgain ? BelievedMeanwhile : BelievedFor);
    }

    private bool IsDue(Answer? answer) => answer is null || time.GetElapsedTime(answer.AskedAt) >= AskEvery;

    private async Task AskAsync(Func<Task<bool>> askAsync)
    {
        var askedAt = time.GetTimestamp();
        try
        {
            _answer = _answer is { } last && time.GetElapsedTime(last.AnsweredAt, askedAt) < BelievedFor ? last with { IsAskedAgain = true } : null;
            var isListenedTo = await askAsync();
            _answer = new Answer(isListenedTo, askedAt, time.GetTimestamp());
        }
        catch
        {
            _answer = null;
            throw;
        }
    }

    private sealed record Answer(bool IsListenedTo, long AskedAt, long AnsweredAt, bool IsAskedAgain = false);
}
