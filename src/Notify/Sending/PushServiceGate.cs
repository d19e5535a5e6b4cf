using Notify.WebPush;
using Polly;
using Polly.CircuitBreaker;

namespace Notify.Sending;

/// <summary>
/// What lets pushes through to one push service, so that one that is down, slow or throttling holds up no other: (1) nothing while it wants to be left alone, by all or by this subscription,
/// (2) no more at once than it has places, (3) nothing but a probe while its breaker is open, as it is when it fails at many users. What is not let through waits at the bus and spends no attempt.
/// </summary>
public sealed partial class PushServiceGate
{
    /// <summary>The breaker opens when half of at least this many answers within ten seconds were failures, at <see cref="FailingUsers.Many"/> users or more.</summary>
    public const int MinimumThroughput = 20;

    // Those that come back after a rest must not come all at once; one subscription comes back as after any Retry-After (RetrySchedule).
    private const double Crowd = 0.5;
    private const double OneAlone = 0.05;

    private static readonly TimeSpan MinBreak = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxBreak = TimeSpan.FromMinutes(1);

    /// <summary>With a push that was given up, its subscription is left alone for no longer than this, whatever was asked: what asks for more was mistaken, and nothing would ever be
    /// pushed there again.</summary>
    internal static readonly TimeSpan LongestAlone = TimeSpan.FromDays(1);

    private readonly string _host;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly PushServiceRests _rests;
    private readonly PushServicePlaces _places;
    private readonly PushServiceTurns _turns;
    private readonly TimeSpan _pace;
    private readonly FailingUsers _failing;
    private readonly ResiliencePipeline<Answer> _breaker;
    private readonly CircuitBreakerStateProvider _state = new();
    private long _lastAskedFor;
    private long _openUntil;

    /// <summary>Lets everything through at first.</summary>
    public PushServiceGate(string host, SendingOptions options, TimeProvider time, ILogger logger)
    {
        (_host, _time, _logger) = (host, time, logger);
        (_rests, _places) = (new PushServiceRests(options.MaxRetryDelay, time), new PushServicePlaces(options.Concurrency, time));

        // While it is down no more ask in a second than there are places, as long as those are of a minute.
        (_turns, _pace) = (new PushServiceTurns(time), TimeSpan.FromSeconds(1) / options.Concurrency);
        (_lastAskedFor, _failing) = (time.GetTimestamp(), new FailingUsers(time));
        _breaker = new ResiliencePipelineBuilder<Answer> { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<Answer>
            {
                StateProvider = _state,
                FailureRatio = 0.5,
                SamplingDuration = FailingUsers.Window,
                MinimumThroughput = MinimumThroughput,
                BreakDurationGenerator = args => new(Min(MinBreak * Math.Pow(2, Math.Min(args.HalfOpenAttempts, 30)), MaxBreak)),

                // A probe that was given up has told nothing: Polly would take it for a success.
                ShouldHandle = args => new(args.Outcome.Result.IsFailure || (args.Outcome.Exception is not null && _state.CircuitState == CircuitState.HalfOpen)),
                OnOpened = args =>
                {
                    Interlocked.Exchange(ref _openUntil, (_time.GetUtcNow() + args.BreakDuration).UtcTicks);
                    LogOpened(_host, $"{args.Outcome.Result.Outcome?.Status} {args.Outcome.Result.Outcome?.Reason}".Trim(), args.BreakDuration);
                    return default;
                },
                OnClosed = _ =>
                {
                    LogClosed(_host);
                    return default;
                },
            })
            .Build();
    }

    /// <summary>The push service's host (and port, where that is not the default).</summary>
    public string Host => _host;

    /// <summary>How long there has been no push for it.</summary>
    internal TimeSpan NotAskedForSince => _time.GetElapsedTime(Interlocked.Read(ref _lastAskedFor));

    /// <summary>POSTs under way.</summary>
    public int InFlight => _places.Taken;

    /// <summary>Whether it is taken to be down.</summary>
    public BreakerState Breaker => _state.CircuitState switch
    {
        CircuitState.Closed => BreakerState.Closed,
        CircuitState.HalfOpen => BreakerState.HalfOpen,

        // The breaker itself learns of the end of its break with the next push, and there may be none.
        _ => _time.GetUtcNow().UtcTicks < Interlocked.Read(ref _openUntil) ? BreakerState.Open : BreakerState.HalfOpen,
    };

    /// <summary>How much longer it wants to be left alone; zero if it does not.</summary>
    public TimeSpan Rest => _rests.Left is var rest && rest > TimeSpan.Zero ? rest : TimeSpan.Zero;

    /// <summary>Says that there is a push for it.</summary>
    internal void AskedFor() => Interlocked.Exchange(ref _lastAskedFor, _time.GetTimestamp());

    /// <summary>Lets nothing new through to one subscription for so long, at most for a day.</summary>
    public void LeaveAlone(Guid subscriptionId, TimeSpan retryAfter) => _rests.Add(subscriptionId, Min(retryAfter, LongestAlone));

    /// <summary>Subscriptions that it wanted to be left alone by, among them some whose time has passed.</summary>
    internal int Resting => _rests.Count;

    /// <summary>Makes a push if it is let through.</summary>
    /// <param name="subscriptionId">To which subscription.</param>
    /// <param name="userId">Whose that is.</param>
    /// <param name="hasWaited">Whether it comes out of a line, and so is not new (<see cref="LeaveAlone"/>).</param>
    /// <param name="expiresAt">From when on it is not to be made any more.</param>
    /// <param name="post">Makes it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<Passage> PassAsync(Guid subscriptionId, string userId, bool hasWaited, DateTimeOffset expiresAt, Func<CancellationToken, ValueTask<PushOutcome>> post, CancellationToken cancellationToken)
    {
        // (1)
        if (RestOf(subscriptionId, hasWaited) is { } before)
        {
            return before;
        }

        // (2)
        if (!await _places.TakeAsync(cancellationToken))
        {
            return new Passage.Refused(MinBreak, _places.NextTurn(Until(expiresAt)), "slow", "the push service is slow");
        }

        try
        {
            if (_time.GetUtcNow() >= expiresAt)
            {
                return new Passage.TooLate();
            }

            // It may have asked for it while this one waited for its place.
            if (RestOf(subscriptionId, hasWaited) is { } meanwhile)
            {
                return meanwhile;
            }

            // (3)
            var started = _time.GetTimestamp();
            var (outcome, _) = await _breaker.ExecuteAsync(static (push, token) => push.Gate.AnswerAsync(push.Post, push.UserId, token), (Gate: this, Post: post, UserId: userId), cancellationToken);
            _places.Note(_time.GetElapsedTime(started));
            if (_rests.Note(userId, outcome) is { } rest)
            {
                LogThrottled(_host, outcome.Status, rest);
            }

            return new Passage.Made(outcome);
        }
        catch (BrokenCircuitException open)
        {
            var soonest = open.RetryAfter is { } rest && rest > MinBreak ? rest : MinBreak;
            return new Passage.Refused(soonest, _turns.Next(soonest, _pace, Until(expiresAt)), "down", "the push service is down");
        }
        finally
        {
            _places.Release();
        }
    }

    private async ValueTask<Answer> AnswerAsync(Func<CancellationToken, ValueTask<PushOutcome>> post, string userId, CancellationToken cancellationToken)
    {
        var outcome = await post(cancellationToken);

        // A probe fails whosever it is.
        return new(outcome, outcome is PushOutcome.RetryLater && (_failing.Add(userId) || _state.CircuitState != CircuitState.Closed));
    }

    private Passage.Refused? RestOf(Guid subscriptionId, bool hasWaited)
    {
        var (rest, own) = (_rests.Left, hasWaited ? TimeSpan.Zero : _rests.LeftOf(subscriptionId));
        return own > TimeSpan.Zero && own >= rest ? Refuse(own, "throttled", "the push service asked to leave this subscription alone", OneAlone)
            : rest > TimeSpan.Zero ? Refuse(rest, "throttled", "the push service asked to be left alone", Crowd)
            : null;
    }

    private static Passage.Refused Refuse(TimeSpan delay, string word, string reason, double jitter)
    {
        var soonest = delay > MinBreak ? delay : MinBreak;
        return new(soonest, soonest + (Random.Shared.NextDouble() * Min(soonest * jitter, MaxBreak)), word, reason);
    }

    private TimeSpan Until(DateTimeOffset expiresAt) => Min(expiresAt - _time.GetUtcNow(), LongestAlone);

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private readonly record struct Answer(PushOutcome Outcome, bool IsFailure);

    [LoggerMessage(LogLevel.Warning, "{PushService} is taken to be down ({Reason}): its pushes wait, and it is probed in {Break}")]
    private partial void LogOpened(string pushService, string reason, TimeSpan @break);

    [LoggerMessage(LogLevel.Information, "{PushService} takes pushes again")]
    private partial void LogClosed(string pushService);

    [LoggerMessage(LogLevel.Warning, "{PushService} throttles all that we send ({Status}) and is left alone for {RetryAfter}")]
    private partial void LogThrottled(string pushService, int? status, TimeSpan retryAfter);
}

/// <summary>Whether a push was let through to its push service.</summary>
public abstract record Passage
{
    private Passage()
    {
    }

    /// <summary>It was made.</summary>
    /// <param name="Outcome">What became of it.</param>
    public sealed record Made(PushOutcome Outcome) : Passage;

    /// <summary>It was not made: it expired while it waited for a place.</summary>
    public sealed record TooLate : Passage;

    /// <summary>It was not made.</summary>
    /// <param name="Soonest">When it may be let through, at the soonest.</param>
    /// <param name="Delay">When to ask again, so that not all do at once.</param>
    /// <param name="Word">Why: throttled, slow or down.</param>
    /// <param name="Reason">Why, for people.</param>
    public sealed record Refused(TimeSpan Soonest, TimeSpan Delay, string Word, string Reason) : Passage
    {
        /// <summary>When to ask again with a push that is worth sending for so long: before that, where it may be let through by then.</summary>
        public TimeSpan DelayWithin(TimeSpan left) => Delay < left || Soonest >= left ? Delay : Soonest + ((left - Soonest) * Random.Shared.NextDouble() / 2);
    }
}

/// <summary>What the breaker of a push service lets through.</summary>
public enum BreakerState
{
    /// <summary>Everything.</summary>
    Closed,

    /// <summary>One push, as a probe: the next one, where none is under way.</summary>
    HalfOpen,

    /// <summary>Nothing: the push service is taken to be down.</summary>
    Open,
}
