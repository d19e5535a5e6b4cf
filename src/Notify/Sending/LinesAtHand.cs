using Microsoft.EntityFrameworkCore;
using Notify.Contracts;
using Notify.Store;

namespace Notify.Sending;

/// <summary>
/// The waiting lines that one transaction changes, each once: what is to be known of them is read at once, changed here, and written at once, however many they are.
/// </summary>
internal sealed class LinesAtHand
{
    private readonly NotifyDbContext _db;
    private readonly List<PushKey> _takenOut = [];
    private readonly List<Guid> _ended = [];
    private Dictionary<Guid, WaitingLine> _lines = [];
    private Dictionary<Guid, long> _last = [];
    private IReadOnlyDictionary<(Guid SubscriptionId, Guid MessageId), long> _positions = new Dictionary<(Guid, Guid), long>();
    private IReadOnlyDictionary<(Guid SubscriptionId, Guid MessageId), string> _accepted = new Dictionary<(Guid, Guid), string>();
    private ILookup<Guid, WaitingPush> _ofTopic = Enumerable.Empty<WaitingPush>().ToLookup(row => row.SubscriptionId);

    private LinesAtHand(NotifyDbContext db) => _db = db;

    /// <summary>Reads the lines.</summary>
    /// <param name="db">The store; the lines are locked.</param>
    /// <param name="subscriptionIds">Whose lines; none twice.</param>
    /// <param name="pushes">What <see cref="PositionOf"/>, <see cref="IsAccepted"/> and <see cref="BehindOfTopic"/> will be asked about.</param>
    public static async Task<LinesAtHand> ReadAsync(NotifyDbContext db, IReadOnlyCollection<Guid> subscriptionIds, IReadOnlyCollection<PushKey> pushes)
    {
        var lines = await db.LinesOf(subscriptionIds)
            .Select(line => new { Line = line, Last = db.WaitingPushes.Where(row => row.SubscriptionId == line.SubscriptionId).Max(row => (long?)row.Position) })
            .ToListAsync();
        var atHand = new LinesAtHand(db)
        {
            _lines = lines.ToDictionary(row => row.Line.SubscriptionId, row => row.Line),
            _last = lines.ToDictionary(row => row.Line.SubscriptionId, row => row.Last ?? 0),
        };
        if (pushes.Count > 0)
        {
            atHand._positions = await db.FindPositionsAsync(pushes);
            atHand._accepted = await db.FindAcceptedAsync(pushes);
            atHand._ofTopic = await db.FindWaitingOfTopicAsync(pushes);
        }

        return atHand;
    }

    /// <summary>A subscription's line, to be changed; null if nothing waits.</summary>
    public WaitingLine? Of(Guid subscriptionId) => _lines.GetValueOrDefault(subscriptionId);

    /// <summary>The same, if the same push is at its head; else null: it has moved on, or come to its end.</summary>
    public WaitingLine? Of(WaitingLine line) => Of(line.SubscriptionId) is { } now && now.Head == line.Head && now.HeadMessageId == line.HeadMessageId ? now : null;

    /// <summary>The last position of a line; zero if nothing waits.</summary>
    public long LastOf(Guid subscriptionId) => _last.GetValueOrDefault(subscriptionId);

    /// <summary>A push's position in its line; null if it is in none.</summary>
    public long? PositionOf(SendPush push) => _positions.TryGetValue((push.SubscriptionId, push.MessageId), out var position) ? position : null;

    /// <summary>Whether the delivery log has a push as accepted; not that of the same message for the subscription's owner before.</summary>
    public bool IsAccepted(SendPush push) => _accepted.GetValueOrDefault((push.SubscriptionId, push.MessageId)) == push.UserId;

    /// <summary>What else waits behind the head with the topic of a push, in order.</summary>
    public IReadOnlyList<WaitingPush> BehindOfTopic(SendPush push) =>
        Of(push.SubscriptionId) is { } line ? [.. _ofTopic[push.SubscriptionId].Where(row => row.Position > line.Head).OrderBy(row => row.Position)] : [];

    /// <summary>Begins a line with its head.</summary>
    public void Begin(WaitingLine line, WaitingPush head)
    {
        _db.WaitingLines.Add(line);
        _db.WaitingPushes.Add(head);
    }

    /// <summary>Puts a push at the end of its line.</summary>
    public void Add(WaitingPush push) => _db.WaitingPushes.Add(push);

    /// <summary>Takes a push out of its line.</summary>
    public void TakeOut(Guid subscriptionId, Guid messageId) => _takenOut.Add(new PushKey(subscriptionId, messageId));

    /// <summary>Ends a line, with all that waits in it.</summary>
    public void End(Guid subscriptionId)
    {
        if (Of(subscriptionId) is { } line)
        {
            _db.WaitingLines.Remove(line);
        }

        _ended.Add(subscriptionId);
    }

    /// <summary>Writes what was changed.</summary>
    public async Task WriteAsync()
    {
        await _db.SaveChangesAsync();
        if (_takenOut.Count > 0)
        {
            await _db.DeleteWaitingAsync(_takenOut);
        }

        if (_ended.Count > 0)
        {
            await _db.WaitingPushes.Where(row => _ended.Contains(row.SubscriptionId)).ExecuteDeleteAsync();
        }
    }
}
