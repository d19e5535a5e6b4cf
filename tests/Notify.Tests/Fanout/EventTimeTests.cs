using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.Fanout;
using Notify.Store;
using Notify.Tests.Store;

namespace Notify.Tests.Fanout;

/// <summary>From when on an event's time counts.</summary>
public class EventTimeTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_push_lives_from_when_its_event_was_taken_however_long_the_store_takes_to_say_whether_it_is_known()
    {
        // Behind the publisher's, so that its word does not count.
        var time = new SetClock { Ahead = -TimeSpan.FromHours(1) };
        var store = new FailingCommands(
            command =>
            {
                if (command.CommandText.Contains("EXISTS (SELECT 1 FROM \"FannedOutParts\"", StringComparison.Ordinal))
                {
                    time.Ahead = -TimeSpan.FromMinutes(30);
                }

                return false;
            },
            code: 1);
        await using var service = await NotifyService.StartAsync(null, builder =>
        {
            builder.Services.AddSingleton<TimeProvider>(time);
            builder.Services.ConfigureDbContext<SqliteNotifyDbContext>(options => options.AddInterceptors(store));
        });
        await using var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation);
        var message = Message("late");

        await service.PostAsync(message);

        var known = await Eventually.GetAsync(() => db.FannedOutParts.AsNoTracking().SingleOrDefaultAsync(part => part.MessageId == message.MessageId && part.Count == 0, Cancellation), part => part is not null);
        Assert.InRange(known!.FannedOutAt - known.PublishedAt!.Value, TimeSpan.FromMinutes(30), TimeSpan.FromMinutes(40));
    }

    private static MessagePosted Message(string title) => new() { MessageId = Guid.CreateVersion7(), ConversationId = "room", RecipientIds = ["ada"], Title = title };

    [Fact]
    public void When_an_event_was_sent_does_not_depend_on_how_its_envelope_writes_the_time()
    {
        var sent = new DateTime(2026, 7, 1, 6, 30, 0, DateTimeKind.Utc);

        var now = new DateTimeOffset(sent).AddHours(1);

        // Where the machine's own zone is UTC the first says nothing.
        Assert.Equal(sent, EventTime.PublishedAt(sent.ToLocalTime(), now).UtcDateTime);
        Assert.Equal(sent, EventTime.PublishedAt(sent, now).UtcDateTime);
        Assert.Equal(sent, EventTime.PublishedAt(DateTime.SpecifyKind(sent, DateTimeKind.Unspecified), now).UtcDateTime);
    }

    [Fact]
    public void An_event_from_a_clock_that_is_ahead_was_published_now()
    {
        var now = new DateTimeOffset(2026, 7, 1, 6, 30, 0, TimeSpan.Zero);

        Assert.Equal(now, EventTime.PublishedAt(now.UtcDateTime.AddMinutes(5), now));
        Assert.Equal(now, EventTime.PublishedAt(DateTime.MaxValue, now));
    }

    private sealed class SetClock : TimeProvider
    {
        private long _ahead;

        public TimeSpan Ahead
        {
            set => Interlocked.Exchange(ref _ahead, value.Ticks);
        }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddTicks(Interlocked.Read(ref _ahead));
    }
}
