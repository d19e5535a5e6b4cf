using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Notify.Contracts;
using Notify.Fanout;
using Notify.Store;

namespace Notify.Sending;

/// <summary>
/// Keeps a subscription's pushes in order while one of them waits for its retry. The bus holds the first (a delayed redelivery); those that come after
/// it lie in the store, in line, and go back to the bus in their order once it is done with.
/// </summary>
/// <remarks>
/// <para>The store alone knows the lines, so that any worker may carry on where another was killed or lost the subscription's lane. A row is written before its
/// message is taken off the queue, and the rows that follow a push are sent before it is taken out of the line: a crash in between repeats a push but never
/// loses or overtakes one.</para>
/// <para>Calls for one subscription never overlap: its pushes are handled one at a time (<see cref="Messaging.RabbitMq.OneAtATime"/>, <see cref="Messaging.InMemory.MailboxPushSender"/>).</para>
/// </remarks>
public sealed class WaitingLines : IAsyncDisposable
{
    private const int MostReleasedAtOnce = 64;

    // A line of days may have tens of thousands, and there may be as many lines.
    private const int MostAtOnce = 200;

    // Workers' clocks differ a little, and to hold a push back again takes a second.
    private static readonly TimeSpan TooEarly = TimeSpan.FromSeconds(1);

    private readonly IDbContextFactory<NotifyDbContext> _store;
    private readonly TimeProvider _time;
    private readonly StoreOutage _outage;
    private readonly SubscriptionStateReader _reader;
    private readonly WaitingLineWriter _writer;

    /// <summary>The lines of a store.</summary>
    public WaitingLines(IDbContextFactory<NotifyDbContext> store, TimeProvider time, ILogger<WaitingLines> logger)
    {
        (_store, _time, _outage) = (store, time, new StoreOutage(time, logger));
        (_reader, _writer) = (new SubscriptionStateReader(store, _outage), new WaitingLineWriter(store, _outage));
    }

    /// <summary>Says what a push that came from the bus is to do, and puts it at the end of the line where others wait.</summary>
    /// <param name="push">The push.</param>
    /// <param name="attemptsInLine">POSTs made before, if it comes out of a line; null if it comes from the fan-out.</param>
    /// <param name="isRedelivered">The bus delivered it before and was not told that it was handled.</param>
    /// <param name="isNotOurs">The bus gives it to others: nothing is written of it any more.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<Turn> TakeTurnAsync(SendPush push, int? attemptsInLine, bool isRedelivered, CancellationToken isNotOurs, CancellationToken cancellationToken)
    {
        var state = await _reader.FindAsync(push).WaitAsync(cancellationToken);
        var (subscription, line) = (state.Subscription, state.Line);
        if (line is null)
        {
            return attemptsInLine is null ? new Turn.Go(0, null, subscription) : new Turn.Overtaken();
        }

        if (line.HeadMessageId == push.MessageId)
        {
            // One that was released comes at once, though the one ahead of it was then answered: leave this subscription alone for so long.
            var wait = line.NextAttemptAt - _time.GetUtcNow();
            if (attemptsInLine == line.Attempts)
            {
                return line.Attempts == 0 && wait > TooEarly ? new Turn.NotYet(line.Attempts, wait, line) : await GoAsync(push, state, line);
            }

            // A crash may have come between noting the wait and holding the push back. Then this is all there is of it, and a copy is held back now; else the other copy is
            // overtaken. It does not go ahead itself: should it come a second time after its row is gone, it would seem to be new.
            return attemptsInLine is null || isRedelivered ? new Turn.NotYet(line.Attempts, wait > TimeSpan.Zero ? wait : TimeSpan.Zero) : new Turn.Overtaken();
        }

        if (attemptsInLine is null)
        {
            // None where the line came to its end meanwhile: then its turn is another.
            return await AppendAsync(line, push, isNotOurs) ?? await TakeTurnAsync(push, attemptsInLine, isRedelivered, isNotOurs, cancellationToken);
        }

        // The bus keeps the order of those that were released. Should it ever not, this one is released again when its turn comes.
        if (line.ReleasedThrough > line.Head)
        {
            await CallOffAsync(line, push);
        }

        return new Turn.Overtaken();
    }

    /// <summary>Writes down that this push, at the head of its line or the first of a new one, waits for its next attempt.</summary>
    /// <param name="push">The push.</param>
    /// <param name="line">Its line, as <see cref="TakeTurnAsync"/> said; null if nothing waited.</param>
    /// <param name="attempts">POSTs made so far.</param>
    /// <param name="nextAttemptAt">When it is tried at the earliest.</param>
    /// <param name="isNotOurs">The bus gives it to others: nothing is written of it any more.</param>
    /// <returns>Null if it waits; its acceptance, if it was accepted before.</returns>
    /// <exception cref="WaitingLineException">The store is away.</exception>
    /// <exception cref="OperationCanceledException">It is not ours.</exception>
    public async Task<PushAccepted?> HoldAsync(SendPush push, WaitingLine? line, int attempts, DateTimeOffset nextAttemptAt, CancellationToken isNotOurs)
    {
        // The writer is at many a trace.
        var (waits, traceParent) = (true, Activity.Current?.Id);
        await _writer.WriteAsync(push.SubscriptionId, line is null ? push : null, lines =>
        {
            if (line is not null)
            {
                if (lines.Of(line) is { } row && row.Attempts == line.Attempts)
                {
                    // Whatever was released behind it will find it waiting and lie down again; so it is tried out with fewer.
                    (row.Attempts, row.NextAttemptAt, row.ReleasedThrough, row.ReleaseNext) = (attempts, nextAttemptAt, line.Head, 1);
                }

                return;
            }

            waits = !lines.IsAccepted(push);
            if (!waits)
            {
                return;
            }

            // A worker that was cut off from the bus may still be at it: then its line stands, and this one joins it.
            if (lines.Of(push.SubscriptionId) is not null)
            {
                AddLast(lines, push, traceParent);
                return;
            }

            lines.Begin(
                new WaitingLine { SubscriptionId = push.SubscriptionId, Head = 1, HeadMessageId = push.MessageId, Attempts = attempts, NextAttemptAt = nextAttemptAt, ReleasedThrough = 1 },
                Row(push, 1, traceParent));
        }, isNotOurs);
        return waits ? null : await AcceptanceOfAsync(push);
    }

    /// <summary>Takes the push at the head, which is done with, out of its line.</summary>
    /// <param name="line">The line; nothing happens if it is null.</param>
    /// <param name="rest">How long the subscription's push service wants to be left alone before the next one; usually zero.</param>
    /// <param name="send">Sends the pushes whose turn it is now, in order; none if earlier ones were released and are still under way.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="WaitingLineException">The store is away.</exception>
    public async Task AdvanceAsync(WaitingLine? line, TimeSpan rest, Func<ReleasedPush, Task> send, CancellationToken cancellationToken)
    {
        if (line is null)
        {
            return;
        }

        var following = await ReadAsync(line.SubscriptionId, line.Head, rest > TimeSpan.Zero ? 1 : line.ReleaseNext, cancellationToken);
        if (following is not [var next, ..])
        {
            var isEnded = false;
            await _writer.WriteAsync(line.SubscriptionId, null, lines =>
            {
                isEnded = lines.LastOf(line.SubscriptionId) <= line.Head;
                if (isEnded && lines.Of(line) is not null)
                {
                    lines.End(line.SubscriptionId);
                }
            }, CancellationToken.None);
            if (!isEnded)
            {
                await AdvanceAsync(line, rest, send, cancellationToken);
            }

            return;
        }

        var nextAttemptAt = _time.GetUtcNow() + rest;
        var (releasedThrough, releaseNext) = (line.ReleasedThrough, line.ReleaseNext);
        if (next.Position > line.ReleasedThrough)
        {
            foreach (var row in following)
            {
                await send(new ReleasedPush(Parse(row.Command), 0, nextAttemptAt, row.TraceParent));
            }

            (releasedThrough, releaseNext) = (following[^1].Position, Math.Min(line.ReleaseNext * 2, MostReleasedAtOnce));
        }

        await _writer.WriteAsync(line.SubscriptionId, null, lines =>
        {
            if (lines.Of(line) is { } row)
            {
                (row.Head, row.HeadMessageId, row.Attempts, row.NextAttemptAt, row.ReleasedThrough, row.ReleaseNext) = (next.Position, next.MessageId, 0, nextAttemptAt, releasedThrough, releaseNext);
                lines.TakeOut(line.SubscriptionId, line.HeadMessageId);
            }
        }, CancellationToken.None);
    }

    /// <summary>Takes pushes of one subscription that are superseded, and of which that has been told, out of their line. Were they left, they would be found to be so in their turn, unless the newer one has expired by then.</summary>
    /// <param name="pushes">One or more, none of them at the head.</param>
    /// <param name="isNotOurs">The bus gives them to others: nothing is written of them any more.</param>
    /// <exception cref="WaitingLineException">The store is away.</exception>
    /// <exception cref="OperationCanceledException">They are not ours.</exception>
    public Task TakeOutAsync(IReadOnlyList<SendPush> pushes, CancellationToken isNotOurs) => _writer.WriteAsync(pushes[0].SubscriptionId, null, lines =>
    {
        foreach (var push in pushes.Where(push => lines.Of(push.SubscriptionId)?.HeadMessageId != push.MessageId))
        {
            lines.TakeOut(push.SubscriptionId, push.MessageId);
        }
    }, isNotOurs);

    /// <summary>Gives the whole line up, because its subscription is gone.</summary>
    /// <param name="line">The line.</param>
    /// <param name="tell">Tells of what waited behind the head, in order; of some a second time where the process is killed meanwhile.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="WaitingLineException">The store is away.</exception>
    public async Task DropAsync(WaitingLine line, Func<SendPush, Task> tell, CancellationToken cancellationToken)
    {
        while (await ReadAsync(line.SubscriptionId, line.Head, MostAtOnce, cancellationToken) is { Count: > 0 } some)
        {
            foreach (var row in some)
            {
                await tell(Parse(row.Command));
            }

            await _writer.WriteAsync(line.SubscriptionId, null, lines => some.ForEach(row => lines.TakeOut(row.SubscriptionId, row.MessageId)), CancellationToken.None);
        }

        await _writer.WriteAsync(line.SubscriptionId, null, lines => lines.End(line.SubscriptionId), CancellationToken.None);
    }

    /// <summary>The head of each line that should have moved before this moment, and is taken to be lost on its way.</summary>
    /// <returns>The heads, to be sent again; should the lost one come after all, it is known by its attempts and dropped. Each is looked for again no
    /// sooner than as long from when it was returned.</returns>
    public async IAsyncEnumerable<ReleasedPush> TakeOverdueAsync(DateTimeOffset before, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var db = await _store.CreateDbContextAsync(cancellationToken);
        while (true)
        {
            var rows = await db.WaitingLines.AsNoTracking()
                .Where(line => line.NextAttemptAt <= before)
                .Join(db.WaitingPushes, line => new { line.SubscriptionId, Position = line.Head }, push => new { push.SubscriptionId, push.Position }, (line, push) => new { line, push.Command, push.TraceParent })
                .OrderBy(row => row.line.NextAttemptAt)
                .Take(MostAtOnce)
                .ToListAsync(cancellationToken);
            foreach (var (line, command, traceParent) in rows.Select(row => (row.line, row.Command, row.TraceParent)))
            {
                // Whoever moves the time on sends it; of several workers that is one.
                if (await Of(db, line).Where(row => row.NextAttemptAt == line.NextAttemptAt).ExecuteUpdateAsync(set => set.SetProperty(row => row.NextAttemptAt, _time.GetUtcNow()), cancellationToken) == 1)
                {
                    yield return new(Parse(command), line.Attempts, line.NextAttemptAt, traceParent);
                }
            }

            if (rows.Count < MostAtOnce)
            {
                yield break;
            }
        }
    }

    /// <summary>The head of each line, to be sent again to a bus that has forgotten them, and with them what was released behind them.</summary>
    public async IAsyncEnumerable<ReleasedPush> TakeHeadsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var db = await _store.CreateDbContextAsync(cancellationToken);
        await db.WaitingLines.Where(line => line.ReleasedThrough > line.Head)
            .ExecuteUpdateAsync(set => set.SetProperty(line => line.ReleasedThrough, line => line.Head).SetProperty(line => line.ReleaseNext, 1), cancellationToken);

        // Those that are there now: others, which begin meanwhile, the bus has.
        foreach (var ids in (await db.WaitingLines.Select(line => line.SubscriptionId).ToListAsync(cancellationToken)).Chunk(MostAtOnce))
        {
            var rows = await db.WaitingLines.AsNoTracking()
                .Where(line => ids.Contains(line.SubscriptionId))
                .Join(db.WaitingPushes, line => new { line.SubscriptionId, Position = line.Head }, push => new { push.SubscriptionId, push.Position }, (line, push) => new { line, push.Command, push.TraceParent })
                .ToListAsync(cancellationToken);
            foreach (var row in rows)
            {
                yield return new ReleasedPush(Parse(row.Command), row.line.Attempts, row.line.NextAttemptAt, row.TraceParent);
            }
        }
    }

    /// <summary>Finishes what is being written.</summary>
    public async ValueTask DisposeAsync()
    {
        _outage.Dispose();
        await _reader.DisposeAsync();
        await _writer.DisposeAsync();
    }

    // A push that was superseded while it waited for its retry is not worth that retry. Whether one was accepted, nobody knows without the log.
    private async Task<Turn> GoAsync(SendPush push, PushState state, WaitingLine line) =>
        state.AcceptedFor == push.UserId ? new Turn.Made(await AcceptanceOfAsync(push), line)
        : state.BehindOfTopic.Any(row => Supersedes(Parse(row.Command), push)) ? new Turn.Superseded(line.Attempts, line)
        : new Turn.Go(line.Attempts, line, state.Subscription);

    private async Task<Turn?> AppendAsync(WaitingLine line, SendPush push, CancellationToken isNotOurs)
    {
        var (isGone, isMade, traceParent) = (false, false, Activity.Current?.Id);

        // Kept over tries: where the first was committed though its answer was lost, the second finds the push in line.
        List<SendPush> superseded = [];
        await _writer.WriteAsync(push.SubscriptionId, push, lines =>
        {
            isGone = lines.Of(push.SubscriptionId) is null;

            // Those that wait, or were made since, are newer than one that was made before.
            isMade = !isGone && lines.IsAccepted(push);
            if (!isGone && !isMade && AddLast(lines, push, traceParent))
            {
                superseded = [.. lines.BehindOfTopic(push).Select(row => Parse(row.Command)).Where(older => Supersedes(push, older))];
            }
        }, isNotOurs);
        return isGone ? null : isMade ? new Turn.Made(await AcceptanceOfAsync(push), Line: null) : new Turn.StoodInLine(line.NextAttemptAt, superseded);
    }

    // As the log has it: the worker that knew is gone.
    private Task<PushAccepted> AcceptanceOfAsync(SendPush push) => WaitingLineException.InsistAsync(_outage, async () =>
    {
        await using var db = await _store.CreateDbContextAsync();
        var accepted = await db.Deliveries.AsNoTracking().SingleOrDefaultAsync(delivery => delivery.MessageId == push.MessageId && delivery.SubscriptionId == push.SubscriptionId);
        return new PushAccepted(push.SubscriptionId, push.UserId, push.MessageId, accepted?.Attempts ?? 1, accepted?.Status, null, accepted?.UpdatedAt ?? _time.GetUtcNow());
    });

    // One that came later may have been published earlier, when it is replayed; be stale; or be for the subscription's owner before.
    private bool Supersedes(SendPush newer, SendPush older) =>
        newer.UserId == older.UserId && newer.ExpiresAt > _time.GetUtcNow() && EventTime.PublishedAt(newer) >= EventTime.PublishedAt(older);

    private Task CallOffAsync(WaitingLine line, SendPush push) => _writer.WriteAsync(push.SubscriptionId, push, lines =>
    {
        if (lines.PositionOf(push) is { } position && lines.Of(line) is { } row && row.ReleasedThrough >= position)
        {
            row.ReleasedThrough = position - 1;
        }
    }, CancellationToken.None);

    /// <returns>False if it is in the line already.</returns>
    private static bool AddLast(LinesAtHand lines, SendPush push, string? traceParent)
    {
        if (lines.PositionOf(push) is not null)
        {
            return false;
        }

        lines.Add(Row(push, lines.LastOf(push.SubscriptionId) + 1, traceParent));
        return true;
    }

    private Task<List<WaitingPush>> ReadAsync(Guid subscriptionId, long after, int count, CancellationToken cancellationToken) =>
        WaitingLineException.InsistAsync(_outage, async () =>
        {
            await using var db = await _store.CreateDbContextAsync(cancellationToken);
            return await db.WaitingPushes.AsNoTracking()
                .Where(row => row.SubscriptionId == subscriptionId && row.Position > after)
                .OrderBy(row => row.Position)
                .Take(count)
                .ToListAsync(cancellationToken);
        });

    private static IQueryable<WaitingLine> Of(NotifyDbContext db, WaitingLine line) => db.WaitingLines.Where(row =>
        row.SubscriptionId == line.SubscriptionId && row.Head == line.Head && row.HeadMessageId == line.HeadMessageId);

    private static WaitingPush Row(SendPush push, long position, string? traceParent) => new()
    {
        SubscriptionId = push.SubscriptionId,
        Position = position,
        MessageId = push.MessageId,
        Topic = push.Topic,
        Command = JsonSerializer.Serialize(push),
        TraceParent = traceParent,
    };

    private static SendPush Parse(string command) => JsonSerializer.Deserialize<SendPush>(command)!;
}

/// <summary>A push to send again.</summary>
/// <param name="Push">The command.</param>
/// <param name="Attempts">POSTs made before.</param>
/// <param name="At">When, at the earliest.</param>
/// <param name="TraceParent">The trace that it belongs to; null if it is not traced.</param>
public sealed record ReleasedPush(SendPush Push, int Attempts, DateTimeOffset At, string? TraceParent);
