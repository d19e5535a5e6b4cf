using Microsoft.EntityFrameworkCore;
using Notify.Sending;
using Notify.Store;

namespace Notify.Fanout;

/// <summary>
/// Knows what was fanned out: asks the store for many parts at once, and adds many in one transaction. While one is under way the next gather; a context, a query and a
/// transaction for each would be much of what a small message costs.
/// </summary>
public sealed class FanoutLedger : IAsyncDisposable
{
    private const int MostAtOnce = 64;

    private readonly StoreSession _forQuestions;
    private readonly StoreSession _forAdditions;
    private readonly Gathering<Entry> _questions;
    private readonly Gathering<Entry> _additions;

    /// <summary>The ledger of a store.</summary>
    public FanoutLedger(IDbContextFactory<NotifyDbContext> store)
    {
        (_forQuestions, _forAdditions) = (new StoreSession(store), new StoreSession(store));
        _questions = new Gathering<Entry>(MostAtOnce, AnswerAsync);
        _additions = new Gathering<Entry>(MostAtOnce, AddAsync);
    }

    /// <summary>Whether this part, or with offset and count 0 this message, was fanned out before.</summary>
    public Task<bool> ContainsAsync(Guid messageId, int offset, int count) => Take(_questions, new FannedOutPart { MessageId = messageId, Offset = offset, Count = count });

    /// <summary>Remembers a part, or a message.</summary>
    /// <exception cref="DbUpdateException">It is there already, among others.</exception>
    public Task AddAsync(FannedOutPart part) => Take(_additions, part);

    /// <summary>Finishes what was begun.</summary>
    public async ValueTask DisposeAsync()
    {
        await _questions.DisposeAsync();
        await _additions.DisposeAsync();
        await _forQuestions.DisposeAsync();
        await _forAdditions.DisposeAsync();
    }

    private static Task<bool> Take(Gathering<Entry> gathering, FannedOutPart part)
    {
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
                question.Done.SetResult(known.Contains((question.Part.MessageId, question.Part.Offset, question.Part.Count)));
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

    private sealed record Entry(FannedOutPart Part)
    {
        public TaskCompletionSource<bool> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
