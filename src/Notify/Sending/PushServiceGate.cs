using System.Diagnostics.CodeAnalysis;
using Notify.WebPush;
using Polly;
using Polly.CircuitBreaker;

namespace Notify.Sending;

/// <summary>
/// What lets pushes through to one push service, so that one that is down, slow or throttling holds up no other: (1) nothing while it wants to be left alone, by all or by this subscription,
/// (2) no more at once than it has places, (3) nothing but a probe while its breaker is open. What is not let through waits at the bus and spends no attempt.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore of which no wait handle is asked for holds nothing to dispose of, and pushes may be under way when a gate is forgotten.")]
public sealed partial class PushServiceGate
{
    /// <summary>The breaker opens when half of at least this many answers within ten seconds were failures.</summary>
    public const int MinimumThroughput = 20;

    // Distinct, and none accepted in between: one device may be throttled for itself (Apple's 429), and must not silence all the others.
    private const int ThrottledInARow = 3;

    // Those that come back must not come all at once; one subscription comes back as after any Retry-After (RetrySchedule).
    private const double Crowd = 0.5;
    private const double OneAlone = 0.05;

    private static readonly TimeSpan MinBreak = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxBreak = TimeSpan.FromMinutes(1);

    /// <summary>All places taken, and none free again for this long, or only ever after this long: others wait no more for one.</summary>
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(2);

    /// <summary>All places taken, each for this long on average: no more wait than half as many as there are places. They stand where pushes to other push services would pass.</summary>
    private static readonly TimeSpan Sluggish = TimeSpan.FromSeconds(0.5);

    /// <summary>With a push that was given up, its subscription is left alone for no longer than this, whatever was asked: what asks for more was mistaken, and nothing would ever be
    /// pushed there again.</summary>
    internal static readonly TimeSpan LongestAlone = TimeSpan.FromDays(1);

    private readonly string _host;
    private readonly SendingOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _places;
    private readonly ResiliencePipeline<PushOutcome> _breaker;
    private readonly CircuitBreakerStateProvider _state = new();
    private readonly Lock _lock = new();
    private readonly HashSet<Guid> _throttled = [];
    private readonly Dictionary<Guid, DateTimeOffset> _resting = [];
    private DateTimeOffset _restUntil;
    private DateTimeOffset _nextTurn;
    private int _forgetAt = 1024;
    private int _waiting;
    private long _lastMoved;
    private long _lastAskedFor;
    private long _openUntil;
    private double _averageSeconds;

    /// <summary>Lets everything through at first.</summary>
    public PushServiceGate(string host, SendingOptions options, TimeProvider time, ILogger logger)
    {
        (_host, _options, _time, _logger) = (host, options, time, logger);
        _places = new SemaphoreSlim(options.Concurrency);
        _lastMoved = _lastAskedFor = time.GetTimestamp();
        _breaker = new ResiliencePipelineBuilder<PushOutcome> { TimeProvider = time }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<PushOutcome>
            {
                StateProvider = _state,
                FailureRatio = 0.5,
                SamplingDuration = TimeSpan.FromSeconds(10),
                MinimumThroughput = MinimumThroughput,
                BreakDurationGenerator = args => new(Min(MinBreak * Math.Pow(2, Math.Min(args.HalfOpenAttempts, 30)), MaxBreak)),
                ShouldHandle = args => new(args.Outcome.Result is PushOutcome.RetryLater),
                OnOpened = args =>
                {
                    Interlocked.Exchange(ref _openUntil, (_time.GetUtcNow() + args.BreakDuration).UtcTicks);
                    LogOpened(_host, args.Outcome.Result?.Status, args.Outcome.Result?.Reason, args.BreakDuration);
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
    public int InFlight => _options.Concurrency - _places.CurrentCount;

    /// <summary>Whether it is taken to be down.</summary>
    public BreakerState Breaker => _state.CircuitState switch
    {
        CircuitState.Closed => BreakerState.Closed,
        CircuitState.HalfOpen => BreakerState.HalfOpen,

        // The breaker itself learns of the end of its break with the next push, and there may be none.
        _ => _time.GetUtcNow().UtcTicks < Interlocked.Read(ref _openUntil) ? BreakerState.Open : BreakerState.HalfOpen,
    };

    /// <summary>How much longer it wants to be left alone; zero if it does not.</summary>
    public TimeSpan Rest => RestLeft() is var rest && rest > TimeSpan.Zero ? rest : TimeSpan.Zero;

    /// <summary>Says that there is a push for it.</summary>
    internal void AskedFor() => Interlocked.Exchange(ref _lastAskedFor, _time.GetTimestamp());

    /// <summary>Lets nothing new through to one subscription for so long, at most for a day.</summary>
    public void LeaveAlone(Guid subscriptionId, TimeSpan retryAfter)
    {
        lock (_lock)
        {
            _resting[subscriptionId] = _time.GetUtcNow() + Min(retryAfter, LongestAlone);
            ForgetRested();
        }
    }

    /// <summary>Subscriptions that it wanted to be left alone by, among them some whose time has passed.</summary>
    internal int Resting
    {
        get
        {
            lock (_lock)
            {
                return _resting.Count;
            }
        }
    }

    /// <summary>Makes a push if it is let through.</summary>
    /// <param name="subscriptionId">Whose push it is.</param>
    /// <param name="hasWaited">Whether it comes out of a line, and so is not new (<see cref="LeaveAlone"/>).</param>
    /// <param name="expiresAt">From when on it is not to be made any more.</param>
    /// <param name="post">Makes it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<Passage> PassAsync(Guid subscriptionId, bool hasWaited, DateTimeOffset expiresAt, Func<CancellationToken, ValueTask<PushOutcome>> post, CancellationToken cancellationToken)
    {
        // (1)
        var (rest, own) = (RestLeft(), hasWaited ? TimeSpan.Zero : RestLeft(subscriptionId));
        if (own > TimeSpan.Zero && own >= rest)
        {
            return Refuse(own, "throttled", "the push service asked to leave this subscription alone", OneAlone);
        }

        if (rest > TimeSpan.Zero)
        {
            return Refuse(rest, "throttled", "the push service asked to be left alone", Crowd);
        }

        // (2)
        if (!await TakePlaceAsync(cancellationToken))
        {
            return new Passage.Refused(MinBreak, NextTurn(), "slow", "the push service is slow");
        }

        // (3)
        var started = _time.GetTimestamp();
        if (_places.CurrentCount == _options.Concurrency - 1)
        {
            // The first after a rest: it is from now on that it should move.
            Interlocked.Exchange(ref _lastMoved, started);
        }

        try
        {
            if (_time.GetUtcNow() >= expiresAt)
            {
                return new Passage.TooLate();
            }

            var outcome = await _breaker.ExecuteAsync(post, cancellationToken);
            Note(subscriptionId, outcome, _time.GetElapsedTime(started));
            return new Passage.Made(outcome);
        }
        catch (BrokenCircuitException open)
        {
            return Refuse(open.RetryAfter ?? MinBreak, "down", "the push service is down", Crowd);
        }
        finally
        {
            Interlocked.Exchange(ref _lastMoved, _time.GetTimestamp());
            _places.Release();
        }
    }

    private async Task<bool> TakePlaceAsync(CancellationToken cancellationToken)
    {
        if (_places.Wait(0, CancellationToken.None))
        {
            return true;
        }

        var waiting = Interlocked.Increment(ref _waiting);
        try
        {
            while (!IsSlow(waiting))
            {
                if (await _places.WaitAsync(Slow, cancellationToken))
                {
                    return true;
                }

                waiting = Volatile.Read(ref _waiting);
            }

            return false;
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private bool IsSlow(int waiting)
    {
        var average = Volatile.Read(ref _averageSeconds);
        return _time.GetElapsedTime(Interlocked.Read(ref _lastMoved)) > Slow || average > Slow.TotalSeconds || (average > Sluggish.TotalSeconds && waiting > Math.Max(1, _options.Concurrency / 2));
    }

    private TimeSpan RestLeft()
    {
        lock (_lock)
        {
            return _restUntil - _time.GetUtcNow();
        }
    }

    private TimeSpan RestLeft(Guid subscriptionId)
    {
        lock (_lock)
        {
            return _resting.GetValueOrDefault(subscriptionId) - _time.GetUtcNow();
        }
    }

    // By the pace at which it takes pushes, as if those that wait stood in a line: else all would come back, and be refused, every second.
    private TimeSpan NextTurn()
    {
        lock (_lock)
        {
            var (now, pace) = (_time.GetUtcNow(), TimeSpan.FromSeconds(_averageSeconds / _options.Concurrency));
            var afterThese = now + (Volatile.Read(ref _waiting) * pace);
            var turn = (_nextTurn > afterThese ? _nextTurn : afterThese) + pace - now;
            if (turn > MaxBreak)
            {
                // The line ends here, so that it is not still long when it has become short. Who finds it so long comes after it, not all at once.
                return MaxBreak * (1 + (Crowd * Random.Shared.NextDouble()));
            }

            _nextTurn = now + turn;
            return turn > MinBreak ? turn : MinBreak;
        }
    }

    private void Note(Guid subscriptionId, PushOutcome outcome, TimeSpan took)
    {
        lock (_lock)
        {
            _averageSeconds = (0.9 * _averageSeconds) + (0.1 * took.TotalSeconds);
            if (outcome is not PushOutcome.RetryLater later)
            {
                _throttled.Clear();
                return;
            }

            if (later.RetryAfter is not { } asked || asked <= TimeSpan.Zero || !_throttled.Add(subscriptionId) || _throttled.Count < ThrottledInARow)
            {
                return;
            }

            var until = _time.GetUtcNow() + Min(asked, _options.MaxRetryDelay);
            if (until > _restUntil)
            {
                if (_restUntil < _time.GetUtcNow())
                {
                    LogThrottled(_host, later.Status, Min(asked, _options.MaxRetryDelay));
                }

                _restUntil = until;
            }
        }
    }

    // Each time that as many again have come together.
    private void ForgetRested()
    {
        if (_resting.Count < _forgetAt)
        {
            return;
        }

        var now = _time.GetUtcNow();
        foreach (var subscriptionId in _resting.Where(each => each.Value <= now).Select(each => each.Key).ToList())
        {
            _resting.Remove(subscriptionId);
        }

        _forgetAt = Math.Max(1024, 2 * _resting.Count);
    }

    private static Passage.Refused Refuse(TimeSpan delay, string word, string reason, double jitter)
    {
        var soonest = delay > MinBreak ? delay : MinBreak;
        return new(soonest, soonest + (Random.Shared.NextDouble() * Min(soonest * jitter, MaxBreak)), word, reason);
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    [LoggerMessage(LogLevel.Warning, "{PushService} is taken to be down ({Status} {Reason}): its pushes wait, and it is probed in {Break}")]
    private partial void LogOpened(string pushService, int? status, string? reason, TimeSpan @break);

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
