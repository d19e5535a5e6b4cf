using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Notify.Contracts;
using Notify.Store;

namespace Notify.Sending;

/// <summary>Where a push stands with regard to its subscription's waiting line.</summary>
public enum Standing
{
    /// <summary>Nothing waits: go ahead.</summary>
    NoLine,

    /// <summary>It is first in line: go ahead.</summary>
    Head,

    /// <summary>It waits in the line, behind another; its row will bring it back.</summary>
    Behind,

    /// <summary>Others wait, and it is not among them: it belongs at the end.</summary>
    Newcomer,
}

/// <summary>
/// Keeps a subscription's pushes in order while one of them waits for its retry. The bus holds the first (a delayed redelivery); those that come after
/// it lie in the store, in line, and go back to the bus in their order once it is done with.
/// </summary>
/// <remarks>
/// <para>A row is written before the message is taken off its queue, and deleted after its push is done with, so that a crash in between repeats a
/// push but never loses or overtakes one.</para>
/// <para>An index in memory answers for the many subscriptions that nothing waits for. Calls for one subscription never overlap
/// (<see cref="Messaging.OneAtATime"/>).</para>
/// </remarks>
public sealed class WaitingLines(IDbContextFactory<NotifyDbContext> store, TimeProvider time) : IAsyncDisposable
{
    private const int MostReleasedAtOnce = 64;

    // A head this late is taken to be lost on its way.
    private static readonly TimeSpan Overdue = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<Guid, Line> _lines = new();
    private readonly WaitingPushWriter _writer = new(store, time);

    /// <summary>Subscriptions that something waits for.</summary>
    public int Count => _lines.Count;

    /// <summary>Reads the lines that an earlier run left.</summary>
    /// <returns>The head of each line, to be sent again.</returns>
    public async Task<IReadOnlyList<ReleasedPush>> LoadAsync(CancellationToken cancellationToken)
    {
        await using var db = await store.CreateDbContextAsync(cancellationToken);
        var rows = await db.WaitingPushes.AsNoTracking()
            .OrderBy(row => row.SubscriptionId).ThenBy(row => row.Position)
            .Select(row => new { row.SubscriptionId, row.Position, row.MessageId, row.Attempts, row.NextAttemptAt })
            .ToListAsync(cancellationToken);
        var heads = new List<ReleasedPush>();
        foreach (var rowsOfLine in rows.GroupBy(row => row.SubscriptionId))
        {
            var line = new Line();
            line.Entries = line.Entries.AddRange(rowsOfLine.Select(row => new Entry(row.Position, row.MessageId) { Attempts = row.Attempts, NextAttemptAt = row.NextAttemptAt }));
            line.ReleasedThrough = line.Head.Position;
            _lines[rowsOfLine.Key] = line;
            var command = await db.WaitingPushes.Where(row => row.SubscriptionId == rowsOfLine.Key && row.Position == line.Head.Position).Select(row => row.Command).SingleAsync(cancellationToken);
            heads.Add(new(Parse(command), line.Head.Attempts, line.Head.NextAttemptAt));
        }

        return heads;
    }

    /// <summary>Where this push stands.</summary>
    public Standing StandingOf(SendPush push)
    {
        if (!_lines.TryGetValue(push.SubscriptionId, out var line))
        {
            return Standing.NoLine;
        }

        return line.IndexOf(push.MessageId) switch { < 0 => Standing.Newcomer, 0 => Standing.Head, _ => Standing.Behind };
    }

    /// <summary>POSTs made so far for the push at the head of its line, and when it may be tried again; nothing where there is no line.</summary>
    public (int Attempts, DateTimeOffset NextAttemptAt) HeadOf(SendPush push) =>
        _lines.TryGetValue(push.SubscriptionId, out var line) && line.IndexOf(push.MessageId) == 0 ? (line.Head.Attempts, line.Head.NextAttemptAt) : default;

    /// <summary>Writes down that this push, at the head of its line or the first of a new one, waits for its next attempt.</summary>
    public async Task HoldAsync(SendPush push, int attempts, DateTimeOffset nextAttemptAt)
    {
        if (_lines.TryGetValue(push.SubscriptionId, out var line))
        {
            var head = line.Head;
            await _writer.HoldAsync(push.SubscriptionId, head.Position, attempts, nextAttemptAt);
            (head.Attempts, head.NextAttemptAt) = (attempts, nextAttemptAt);

            // Whatever was released behind it will find it waiting and lie down again; so it is tried out with fewer.
            line.ReleasedThrough = head.Position;
            line.ReleaseNext = 1;
        }
        else
        {
            line = new Line();
            await AddAsync(line, push, attempts, nextAttemptAt);
            line.ReleasedThrough = line.Head.Position;
            _lines[push.SubscriptionId] = line;
        }
    }

    /// <summary>Puts a newcomer at the end of its line.</summary>
    /// <returns>When the line moves at the earliest.</returns>
    public async Task<DateTimeOffset> AppendAsync(SendPush push)
    {
        var line = _lines[push.SubscriptionId];
        var nextAttemptAt = line.Head.NextAttemptAt;
        await AddAsync(line, push, attempts: 0, nextAttemptAt);
        return nextAttemptAt;
    }

    /// <summary>Finds the heads that should have come back long ago, and takes them to be lost on their way.</summary>
    /// <returns>The heads, to be sent again; should the lost one come after all, it is known by its attempts and dropped.</returns>
    public async Task<IReadOnlyList<ReleasedPush>> TakeOverdueAsync(CancellationToken cancellationToken)
    {
        var overdue = new List<ReleasedPush>();
        foreach (var (subscriptionId, line) in _lines)
        {
            var head = line.Entries.FirstOrDefault();
            if (head is null || head.NextAttemptAt + Overdue > time.GetUtcNow())
            {
                continue;
            }

            if (await ReadAsync(subscriptionId, head.Position - 1, 1, cancellationToken) is [var row] && row.Position == head.Position)
            {
                // Looked for again no sooner than as long from now.
                head.NextAttemptAt = time.GetUtcNow();
                overdue.Add(new(Parse(row.Command), row.Attempts, row.NextAttemptAt));
            }
        }

        return overdue;
    }

    /// <summary>Takes a push that is done with off the head of its line.</summary>
    /// <param name="push">The push; nothing happens if it is not at the head.</param>
    /// <param name="rest">How long the subscription's push service wants to be left alone before the next one; usually zero.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The pushes whose turn it is now, in order, to be sent again; none if earlier ones were released and are still under way.</returns>
    public async Task<IReadOnlyList<ReleasedPush>> AdvanceAsync(SendPush push, TimeSpan rest, CancellationToken cancellationToken)
    {
        if (!_lines.TryGetValue(push.SubscriptionId, out var line) || line.IndexOf(push.MessageId) != 0)
        {
            return [];
        }

        // Read before anything is changed: what fails here can be repeated as a whole.
        var done = line.Head.Position;
        var released = done < line.ReleasedThrough ? [] : await ReadAsync(push.SubscriptionId, done, line.ReleaseNext, cancellationToken);
        await _writer.DeleteAsync(push.SubscriptionId, done);
        line.Entries = line.Entries.RemoveAt(0);
        if (line.Entries.Count == 0)
        {
            _lines.TryRemove(push.SubscriptionId, out _);
            return [];
        }

        line.Head.NextAttemptAt = time.GetUtcNow() + rest;
        if (released.Count > 0)
        {
            line.ReleasedThrough = released[^1].Position;
            line.ReleaseNext = Math.Min(line.ReleaseNext * 2, MostReleasedAtOnce);
        }

        return [.. released.Select(row => new ReleasedPush(Parse(row.Command), row.Attempts, line.Head.NextAttemptAt))];
    }

    /// <summary>Gives the whole line up, because its subscription is gone.</summary>
    /// <returns>What waited, in order, with the POSTs made for each.</returns>
    public async Task<IReadOnlyList<(SendPush Push, int Attempts)>> DropAsync(Guid subscriptionId, CancellationToken cancellationToken)
    {
        if (!_lines.ContainsKey(subscriptionId))
        {
            return [];
        }

        await using var db = await store.CreateDbContextAsync(cancellationToken);
        var rows = await db.WaitingPushes.AsNoTracking().Where(row => row.SubscriptionId == subscriptionId).OrderBy(row => row.Position).ToListAsync(cancellationToken);
        await _writer.DeleteLineAsync(subscriptionId);
        _lines.TryRemove(subscriptionId, out _);
        return [.. rows.Select(row => (Parse(row.Command), row.Attempts))];
    }

    /// <summary>Finishes what is being written.</summary>
    public ValueTask DisposeAsync() => _writer.DisposeAsync();

    private Task<List<WaitingPush>> ReadAsync(Guid subscriptionId, long after, int count, CancellationToken cancellationToken) =>
        WaitingLineException.PatientlyAsync(time, async () =>
        {
            await using var db = await store.CreateDbContextAsync(cancellationToken);
            return await db.WaitingPushes.AsNoTracking()
                .Where(row => row.SubscriptionId == subscriptionId && row.Position > after)
                .OrderBy(row => row.Position)
                .Take(count)
                .ToListAsync(cancellationToken);
        });

    private async Task AddAsync(Line line, SendPush push, int attempts, DateTimeOffset nextAttemptAt)
    {
        var entry = new Entry(line.Entries.Count == 0 ? 1 : line.Entries[^1].Position + 1, push.MessageId) { Attempts = attempts, NextAttemptAt = nextAttemptAt };
        await _writer.AddAsync(new WaitingPush
        {
            SubscriptionId = push.SubscriptionId,
            Position = entry.Position,
            MessageId = push.MessageId,
            Command = JsonSerializer.Serialize(push),
            Attempts = attempts,
            NextAttemptAt = nextAttemptAt,
        });
        line.Entries = line.Entries.Add(entry);
    }

    private static SendPush Parse(string command) => JsonSerializer.Deserialize<SendPush>(command)!;

    private sealed class Line
    {
        // Replaced as a whole, so that it can be looked at while it changes.
        public ImmutableList<Entry> Entries { get; set; } = [];

        public Entry Head => Entries[0];

        /// <summary>The last position that was sent back to the bus and has not been called off since.</summary>
        public long ReleasedThrough { get; set; }

        /// <summary>How many go back next: one after a failure, then twice as many each time that all have gone well.</summary>
        public int ReleaseNext { get; set; } = 1;

        public int IndexOf(Guid messageId) => Entries.FindIndex(entry => entry.MessageId == messageId);
    }

    private sealed class Entry(long position, Guid messageId)
    {
        public long Position { get; } = position;

        public Guid MessageId { get; } = messageId;

        public int Attempts { get; set; }

        public DateTimeOffset NextAttemptAt { get; set; }
    }
}

/// <summary>A push to send again.</summary>
/// <param name="Push">The command.</param>
/// <param name="Attempts">POSTs made before.</param>
/// <param name="At">When, at the earliest.</param>
public sealed record ReleasedPush(SendPush Push, int Attempts, DateTimeOffset At);
