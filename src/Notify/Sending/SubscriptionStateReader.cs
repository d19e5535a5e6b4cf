using Microsoft.EntityFrameworkCore;
using Notify.Contracts;
using Notify.Store;

namespace Notify.Sending;

/// <summary>What must be known of a subscription before anything is sent to it, as the store has it: whose it is, when it last took a push, and whether something waits.</summary>
/// <param name="Subscription">Whose it is, which revision, and its last acceptance; null if it is gone.</param>
/// <param name="Line">Its line; null if nothing waits.</param>
internal sealed record SubscriptionState(SubscriptionStamp? Subscription, WaitingLine? Line);

/// <summary>The same, as it is for one push.</summary>
/// <param name="Subscription">As there.</param>
/// <param name="Line">As there.</param>
/// <param name="AcceptedFor">If it is at the head, and the delivery log has it as accepted: the user that it was for. The subscription may have been another's then.</param>
/// <param name="BehindOfTopic">If it is at the head, what waits behind it with its topic.</param>
internal sealed record PushState(SubscriptionStamp? Subscription, WaitingLine? Line, string? AcceptedFor, IReadOnlyList<WaitingPush> BehindOfTopic);

/// <summary>A subscription's owner, its revision, and when it last took a push.</summary>
/// <param name="UserId">The owner.</param>
/// <param name="Revision">The <see cref="Subscriptions.Subscription.Revision"/>.</param>
/// <param name="LastAcceptedAt">The <see cref="Subscriptions.Subscription.LastAcceptedAt"/>.</param>
public sealed record SubscriptionStamp(string UserId, int Revision, DateTimeOffset? LastAcceptedAt);

/// <summary>
/// Asks the store for the state of many subscriptions in one query, or where something waits for them in some more: while one is under way, and under load a little longer, the next questions gather. The answer is always younger than
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

    /// <summary>The state of a push's subscription.</summary>
    public Task<PushState> FindAsync(SendPush push)
    {
        var question = new Question(PushKey.Of(push));
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
            var find = await _outage.WaitOutAsync(() => _store.UseAsync(db => FindAsync(db, questions)));
            foreach (var question in questions)
            {
                question.Answer.SetResult(find(question.Push));
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

    private static async Task<Func<PushKey, PushState>> FindAsync(NotifyDbContext db, IReadOnlyList<Question> questions)
    {
        var states = await db.FindSubscriptionStatesAsync([.. questions.Select(question => question.Push.SubscriptionId).Distinct()]);
        var heads = questions.Select(question => question.Push).Where(IsHead).Distinct().ToList();
        var accepted = await db.FindAcceptedAsync(heads);
        var ofTopic = await db.FindWaitingOfTopicAsync(heads);
        return push =>
        {
            var (subscription, line) = states[push.SubscriptionId];
            return line is null || !IsHead(push)
                ? new PushState(subscription, line, AcceptedFor: null, [])
                : new PushState(subscription, line, accepted.GetValueOrDefault((push.SubscriptionId, push.MessageId)), [.. ofTopic[push.SubscriptionId].Where(row => row.Position > line.Head)]);
        };

        bool IsHead(PushKey push) => states[push.SubscriptionId].Line?.HeadMessageId == push.MessageId;
    }

    private sealed record Question(PushKey Push)
    {
        public TaskCompletionSource<PushState> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
