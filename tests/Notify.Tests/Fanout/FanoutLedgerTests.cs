using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Notify.Fanout;
using Notify.Messaging;
using Notify.Tests.Store;

namespace Notify.Tests.Fanout;

/// <summary>The ledger where its store does not take something: with the bus in memory nobody waits for it, with RabbitMQ everybody.</summary>
public sealed class FanoutLedgerTests : IAsyncLifetime
{
    // SQLite's codes: one is waited out for as long as it takes, the other is an error like any other.
    private const int Busy = 5;
    private const int Error = 1;

    private readonly FailingCommands _store = new("INSERT INTO \"FannedOutParts\"", Busy);
    private readonly FakeTimeProvider _time = new();
    private readonly LogCollector _log = new();
    private TestStore _tables = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _tables = await TestStore.CreateAsync(_store);

    public ValueTask DisposeAsync() => _tables.DisposeAsync();

    [Theory]
    [InlineData(Busy, 30)]
    [InlineData(Error, 3)]
    public async Task What_the_store_does_not_take_yet_is_known_and_is_written_when_it_does(int code, int times)
    {
        await using var ledger = NewLedger(TransportKind.InMemory);
        var (message, part) = (Part(count: 0), Part(count: 10));
        _store.FailNextWith([.. Enumerable.Repeat(code, times)]);

        Assert.True(ledger.AddAsync(message).IsCompletedSuccessfully);
        Assert.True(ledger.RememberAsync(part).IsCompletedSuccessfully);

        Assert.True(await ledger.ContainsAsync(message.MessageId, 0, 0));
        Assert.True(await ledger.ContainsAsync(part.MessageId, 0, 10));
        Assert.False(await ledger.ContainsAsync(message.MessageId, 0, 10));
        await CountedAsync(2);
        Assert.Equal(times, _store.Failed);
        Assert.True(await ledger.ContainsAsync(message.MessageId, 0, 0));
        Assert.True(await ledger.ContainsAsync(part.MessageId, 0, 10));
    }

    [Fact]
    public async Task What_the_store_never_takes_is_forgotten()
    {
        await using var ledger = NewLedger(TransportKind.InMemory);
        var message = Part(count: 0);
        _store.FailNextWith([.. Enumerable.Repeat(Error, 1000)]);

        await ledger.AddAsync(message);

        Assert.True(await ledger.ContainsAsync(message.MessageId, 0, 0));
        await Eventually.GetAsync(
            () =>
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                return ledger.ContainsAsync(message.MessageId, 0, 0);
            },
            isKnown => !isKnown);
        Assert.Contains($"What was fanned out of message {message.MessageId} at 0 could not be remembered", Assert.Single(_log.Lines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_store_has_all_of_it_when_the_ledger_ends()
    {
        await using (var ledger = NewLedger(TransportKind.InMemory))
        {
            for (var i = 0; i < 300; i++)
            {
                await ledger.AddAsync(Part(count: 0));
            }
        }

        Assert.Equal(300, await CountAsync());
    }

    [Fact]
    public async Task A_store_that_takes_nothing_does_not_hold_up_the_end()
    {
        var ledger = NewLedger(TransportKind.InMemory);
        _store.FailNext(10_000);
        for (var i = 0; i < 200; i++)
        {
            await ledger.AddAsync(Part(count: 0));
        }

        await ledger.DisposeAsync().AsTask().WaitAsync(Eventually.Patience, Cancellation);

        Assert.Equal(0, await CountAsync());
        Assert.Contains(_log.Lines, line => line.Contains("The database is away: what was fanned out is written when it is back", StringComparison.Ordinal));
        Assert.Contains(_log.Lines, line => line.Contains("200 messages or parts that were fanned out could not be remembered", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Busy)]
    [InlineData(Error)]
    public async Task On_RabbitMQ_a_part_is_waited_for_and_a_message_that_the_store_did_not_take_fails(int code)
    {
        await using var ledger = NewLedger(TransportKind.RabbitMq);
        var (message, part) = (Part(count: 0), Part(count: 10));

        _store.FailNextWith(code);
        await Assert.ThrowsAnyAsync<Exception>(() => ledger.AddAsync(message));
        Assert.False(await ledger.ContainsAsync(message.MessageId, 0, 0));
        await ledger.AddAsync(message);
        Assert.True(await ledger.ContainsAsync(message.MessageId, 0, 0));

        _store.FailNextWith(code, code);
        var remembered = ledger.RememberAsync(part);
        await Eventually.TrueAsync(() => _store.Failed == 2);
        Assert.False(remembered.IsCompleted);
        await CountedAsync(2);
        await remembered.WaitAsync(Eventually.Patience, Cancellation);
    }

    [Fact]
    public async Task A_part_that_was_written_though_the_answer_was_lost_counts_as_written()
    {
        await using var ledger = NewLedger(TransportKind.RabbitMq);
        await using var other = _tables.NewLedger(TransportKind.RabbitMq);
        var part = Part(count: 10);

        _store.FailNextWith(Error);
        var remembered = ledger.RememberAsync(part);
        await Eventually.TrueAsync(() => _store.Failed == 1);
        await other.AddAsync(new FannedOutPart { MessageId = part.MessageId, Count = part.Count, FannedOutAt = part.FannedOutAt });

        // One more try, a fraction of a second later; those after it would each wait twice as long.
        var waited = TimeSpan.Zero;
        await Eventually.TrueAsync(() =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(1));
            waited += TimeSpan.FromMilliseconds(1);
            return remembered.IsCompleted;
        });
        Assert.InRange(waited, TimeSpan.Zero, TimeSpan.FromMilliseconds(400));
    }

    [Fact]
    public async Task Where_the_store_is_far_behind_it_is_waited_for()
    {
        await using var ledger = NewLedger(TransportKind.InMemory);
        _store.FailNext(1000);
        var added = 0;
        Task last;
        do
        {
            last = ledger.AddAsync(Part(count: 0));
            added++;
        }
        while (last.IsCompleted && added < 10_000);

        Assert.False(last.IsCompleted);
        Assert.InRange(added, 1000, 1100);
        Assert.Equal(0, await CountAsync());
        _store.FailNext(0);
        await CountedAsync(added);
        await last.WaitAsync(Eventually.Patience, Cancellation);
    }

    private FanoutLedger NewLedger(TransportKind bus) => _tables.NewLedger(bus, _time, new Logger<FanoutLedger>(new LoggerFactory([_log])));

    private static FannedOutPart Part(int count) => new() { MessageId = Guid.NewGuid(), Count = count, FannedOutAt = DateTimeOffset.UtcNow };

    private Task<int> CountedAsync(int count) => Eventually.GetAsync(
        () =>
        {
            // Less than what is given up after, even where the machine is slow.
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return CountAsync();
        },
        seen => seen == count);

    private async Task<int> CountAsync()
    {
        await using var db = _tables.Open();
        return await db.FannedOutParts.CountAsync(Cancellation);
    }
}
