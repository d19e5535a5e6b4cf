using Microsoft.EntityFrameworkCore;
using Notify.Store;

namespace Notify.Sending;

/// <summary>What must be known of a subscription before anything is sent to it, as the store has it: whose it is, when it last took a push, and whether something waits.</summary>
/// <param name="Subscription">Whose it is, which revision, and its last acceptance; null if it is gone.</param>
/// <param name="Line">Its line; null if nothing waits.</param>
internal sealed record SubscriptionState(SubscriptionStamp? Subscription, WaitingLine? Line);

/// <summary>A subscription's owner, its revision, and when it last took a push.</summary>
/// <param name="UserId">The owner.</param>
/// <param name="Revision">The <see cref="Subscriptions.Subscription.Revision"/>.</param>
/// <param name="LastAcceptedAt">The <see cref="Subscriptions.Subscription.LastAcceptedAt"/>.</param>
public sealed record SubscriptionStamp(string UserId, int Revision, DateTimeOffset? LastAcceptedAt);

/// <summary>
/// Asks the store for the state of many subscriptions in one query: while one is under way, and under load a little longer, the next questions gather. The answer is always younger than
/// the question, so that what another worker wrote before is seen: a push that was still queued never goes to a subscription that is gone or somebody else's.
/// </summary>
internal sealed class SubscriptionStateReader : IAsyncDisposable
{
    private const int MostAtOnce = 256;

    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(5);

    private readonly StoreSession _store;
    private readonly StoreOutage _outage;
    private readonly Gathering<Question> _questions;

    public SubscriptionStateReader(IDbContextFactory<NotifyDbContext> store, StoreOutage outage)
    {
        (_store, _outage) = (new StoreSession(store), outage);
        _questions = new Gathering<Question>(MostAtOnce, AnswerAsync, Linger);
    }

    /// <summary>The subscription's state.</summary>
    public Task<SubscriptionState> FindAsync(Guid subscriptionId)
    {
        var question = new Question(subscriptionId);
        _questions.Add(question);
        return question.Answer.Task;
    }

    public async ValueTask DisposeAsync()
    {
        await _questions.DisposeAsync();
        await _store.DisposeAsync();
    }

    private async Task AnswerAsync(IReadOnlyList<Question> questions)
    {
        try
        {
            var ids = questions.Select(question => question.SubscriptionId).Distinct().ToList();
            var states = await _outage.WaitOutAsync(() => _store.UseAsync(db => db.FindSubscriptionStatesAsync(ids)));
            foreach (var question in questions)
            {
                question.Answer.SetResult(states[question.SubscriptionId]);
            }
        }
        catch (Exception exception)
        {
            foreach (var question in questions)
            {
                question.Answer.TrySetException(exception);
            }
        }
    }

    private sealed record Question(Guid SubscriptionId)
    {
        public TaskCompletionSource<SubscriptionState> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
