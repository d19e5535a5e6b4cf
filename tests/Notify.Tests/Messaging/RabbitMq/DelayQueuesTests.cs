using Notify.Messaging.RabbitMq.Delays;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class DelayQueuesTests
{
    [Fact]
    public void A_delay_is_rounded_up_by_less_than_a_second_or_a_fifth_and_never_by_more_than_ten_seconds()
    {
        for (var milliseconds = 1.0; milliseconds <= 20 * DelayQueues.Longest.TotalMilliseconds; milliseconds *= 1.001)
        {
            var delay = TimeSpan.FromMilliseconds(milliseconds);
            var (waited, rounds) = (TimeSpan.Zero, 0);
            for (; waited < delay; rounds++)
            {
                waited += DelayQueues.RungFor(delay - waited);
            }

            Assert.True(waited - delay <= TimeSpan.FromSeconds(1) || waited <= delay * 1.2001, $"{delay} became {waited}");
            Assert.True(waited - delay <= TimeSpan.FromSeconds(10), $"{delay} became {waited}");
            Assert.True(rounds <= (delay <= TimeSpan.FromMinutes(1) ? 1 : 5 + (int)delay.TotalDays), $"{delay} took {rounds} rounds");
        }
    }

    [Fact]
    public void Names_are_unique_and_say_how_long()
    {
        var names = DelayQueues.Rungs.Select(DelayQueues.NameOf).ToList();

        Assert.Equal(names.Count, names.Distinct().Count());
        Assert.Equal(["delay-0.5s", "delay-1s", "delay-1.5s"], names[..3]);
        Assert.Equal("delay-86400s", names[^1]);
    }
}
