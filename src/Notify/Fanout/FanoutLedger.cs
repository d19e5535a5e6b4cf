using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Notify.Messaging;
using Notify.Store;

namespace Notify.Fanout;

/// <summary>
/// Knows what was fanned out: asks the store for many parts at once, and adds many in one transaction. While one is under way the next gather; a context, a query and a
/// transaction for each would be much of what a small message costs.
/// </summary>
/// <remarks>
/// On RabbitMQ an event is acknowledged when the store has it. The in-memory bus keeps none for longer than the process lives, and hands them out one at a time: there nobody waits for the store,
/// and what it does not have yet is known from here.
/// </remarks>
public sealed partial class FanoutLedger : IAsyncDisposable
{
    private const int MostAtOnce = 64;

    // In memory, where the store is behind: with more than so many each waits so long for it.
    private const int MostUnwritten = 1024;
    private static readonly TimeSpan Behind = TimeSpan.FromSeconds(10);

    // In memory, under load.
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(20);

    // In memory, at the end.
    private static readonly TimeSpan ForTheLast = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly bool _isInMemory;
    private readonly StoreOutage _outage;
    private readonly StoreSession _forQuestions;
    private readonly StoreSession _forAdditions;
    private readonly Gathering<Entry> _questions;
    private readonly Gathering<Entry> _additions;
    private readonly ConcurrentDictionary<(Guid MessageId, int Offset, int Count), Task> _unwritten = [];
    private volatile bool _isEnded;

    /// <summary>The ledger of a store.</summary>
    public FanoutLedger(IDbContextFactory<NotifyDbContext> store, IOptions<NotifyOptions> options, TimeProvider time, ILogger<FanoutLedger> logger)
    {
        (_time, _logger, _isInMemory) = (time, logger, options.Value.Transport == TransportKind.InMemory);
        _outage = new StoreOutage(time, logger, waiting: "what was fanned out is written when it is back");
        (_forQuestions, _forAdditions) = (new StoreSession(store), new StoreSession(store));
        _questions = new Gathering<Entry>(MostAtOnce, AnswerAsync);
        _additions = new Gathering<Entry>(MostAtOnce, AddAsync, _isInMemory ? Linger : TimeSpan.Zero);
    }

    /// <summary>Whether this part, or with offset and count 0 this message, was fanned out before.</summary>
    public Task<bool> ContainsAsync(Guid messageId, int offset, int count) =>
        _unwritten.ContainsKey((messageId, offset, count)) ? Task.FromResult(true) : Take(_questions, new FannedOutPart { MessageId = messageId, Offset = offset, Count = count });

    /// <summary>Remembers a message, whose parts are sent and will be known should they be sent again. In memory as <see cref="RememberAsync"/> does.</summary>
    /// <exception cref="DbUpdateException">It is there already, among others. Not in memory.</exception>
    public Task AddAsync(FannedOutPart message) => _isInMemory ? AddLaterAsync(message) : Take(_additions, message);

    /// <summary>Remembers a part, whose pushes are sent and are not sent again because it could not be remembered: what fails is tried for a while, and then told in the log.</summary>
    public Task RememberAsync(FannedOutPart part) => _isInMemory ? AddLaterAsync(part) : TryToAddAsync(part);

    /// <summary>Finishes what was begun, but for what the store does not take.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_isInMemory)
        {
            await Task.WhenAll(_unwritten.Values).WaitAsync(ForTheLast).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _isEnded = true;
            if (!_unwritten.IsEmpty)
            {
                LogUnwritten(_unwritten.Count);
            }
        }

        _outage.Dispose();
        await _questions.DisposeAsync();
        await _additions.DisposeAsync();
        await _forQuestions.DisposeAsync();
        await _forAdditions.DisposeAsync();
    }

    private async Task AddLaterAsync(FannedOutPart part)
    {
        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _unwritten.TryAdd(KeyOf(part), written.Task);
        _ = WriteAsync();
        if (_unwritten.Count > MostUnwritten)
        {
            await written.Task.WaitAsync(Behind, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        async Task WriteAsync()
        {
            await TryToAddAsync(part);
            if (!_isEnded)
            {
                _unwritten.TryRemove(KeyOf(part), out _);
            }

            written.SetResult();
        }
    }

    private async Task TryToAddAsync(FannedOutPart part)
    {
        var isFirstTry = true;
        try
        {
            await (_isInMemory ? _outage.InsistAsync(AddAsync) : _outage.TryAsync(AddAsync));
        }
        catch (Exception exception)
        {
            if (!_isEnded)
            {
                LogForgotten(exception, part.MessageId, part.Offset);
            }
        }

        async Task<bool> AddAsync()
        {
            // The first may have been committed though its answer was lost.
            var isKnown = !isFirstTry && await Take(_questions, part);
            isFirstTry = false;
            return isKnown || await Take(_additions, part);
        }
    }

    private static (Guid MessageId, int Offset, int Count) KeyOf(FannedOutPart part) => (part.MessageId, part.Offset, part.Count);

    private Task<bool> Take(Gathering<Entry> gathering, FannedOutPart part)
    {
        if (_isEnded)
        {
            throw new OperationCanceledException();
        }

        var entry = new Entry(part);
        gathering.Add(entry);
        return entry.Done.Task;
    }

    private async Task AnswerAsync(IReadOnlyList<Entry> questions)
    {
        try
        {
            var known = await _forQuestions.UseAsync(db => db.FindFannedOutPartsAsync([.. questions.Select(question => question.Part)]));
            foreach (var question in questions)
            {
                question.Done.SetResult(known.Contains(KeyOf(question.Part)));
            }
        }
        catch (Exception exception)
        {
            Fail(questions, exception);
        }
    }

    private async Task AddAsync(IReadOnlyList<Entry> additions)
    {
        try
        {
            // Each try may take as long as the store lets it wait for a lock.
            if (_isEnded)
            {
                throw new OperationCanceledException();
            }

            await _forAdditions.UseAsync(db => db.AddFannedOutPartsAsync([.. additions.Select(addition => addition.Part)]));
            foreach (var addition in additions)
            {
                addition.Done.SetResult(true);
            }
        }
        catch (Exception exception) when (exception is DbUpdateException or InvalidOperationException && additions.Count > 1 && !StoreAway.IsSaidBy(exception))
        {
            // One at a time, so that only the one at fault fails.
            foreach (var addition in additions)
            {
                await AddAsync([addition]);
            }
        }
        catch (Exception exception)
        {
            Fail(additions, exception);
        }
    }

    private static void Fail(IReadOnlyList<Entry> entries, Exception exception)
    {
        foreach (var entry in entries)
        {
            entry.Done.TrySetException(exception);
        }
    }

    [LoggerMessage(LogLevel.Warning, "What was fanned out of message {MessageId} at {Offset} could not be remembered: should it come a second time, it may be pushed again")]
    private partial void LogForgotten(Exception exception, Guid messageId, int offset);

    [LoggerMessage(LogLevel.Warning, "{Count} messages or parts that were fanned out could not be remembered before the end of the process: should they come a second time, they may be pushed again")]
    private partial void LogUnwritten(int count);

    private sealed record Entry(FannedOutPart Part)
    {
        public TaskCompletionSource<bool> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
