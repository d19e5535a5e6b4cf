using System.Threading.Channels;
using Microsoft.EntityFrameworkCore;
using Notify.Store;

namespace Notify.Sending;

/// <summary>
/// Asks the store for the lines of many subscriptions in one query: while one is under way the next questions gather. The answer is always younger than
/// the question, so that what another worker wrote before it lost the subscription's lane is seen.
/// </summary>
internal sealed class WaitingLineReader : IAsyncDisposable
{
    private const int MostAtOnce = 256;

    private readonly Channel<Question> _questions = Channel.CreateUnbounded<Question>(new UnboundedChannelOptions { SingleReader = true });
    private readonly IDbContextFactory<NotifyDbContext> _store;
    private readonly Task _answering;

    public WaitingLineReader(IDbContextFactory<NotifyDbContext> store)
    {
        _store = store;
        _answering = Task.Run(AnswerAllAsync);
    }

    /// <summary>The subscription's line; null if nothing waits.</summary>
    public Task<WaitingLine?> FindAsync(Guid subscriptionId)
    {
        var question = new Question(subscriptionId);
        return _questions.Writer.TryWrite(question) ? question.Answer.Task : Task.FromException<WaitingLine?>(new ObjectDisposedException(nameof(WaitingLineReader)));
    }

    public async ValueTask DisposeAsync()
    {
        _questions.Writer.TryComplete();
        await _answering;
    }

    private async Task AnswerAllAsync()
    {
        var batch = new List<Question>(MostAtOnce);
        while (await _questions.Reader.WaitToReadAsync())
        {
            while (batch.Count < MostAtOnce && _questions.Reader.TryRead(out var question))
            {
                batch.Add(question);
            }

            try
            {
                var ids = batch.Select(question => question.SubscriptionId).Distinct().ToList();
                await using var db = await _store.CreateDbContextAsync();
                var lines = await db.WaitingLines.AsNoTracking().Where(line => ids.Contains(line.SubscriptionId)).ToDictionaryAsync(line => line.SubscriptionId);
                batch.ForEach(question => question.Answer.SetResult(lines.GetValueOrDefault(question.SubscriptionId)));
            }
            catch (Exception exception)
            {
                batch.ForEach(question => question.Answer.TrySetException(exception));
            }

            batch.Clear();
        }
    }

    private sealed record Question(Guid SubscriptionId)
    {
        public TaskCompletionSource<WaitingLine?> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
