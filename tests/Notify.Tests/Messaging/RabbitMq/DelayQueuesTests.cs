using Notify.Messaging.RabbitMq.Delays;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class DelayQueuesTests
{
    [Fact]
    public void A_delay_is_rounded_up_by_less_than_a_second_or_a_fifth()
    {
        for (var milliseconds = 1.0; milliseconds <= DelayQueues.Longest.TotalMilliseconds; milliseconds *= 1.001)
        {
            var delay = TimeSpan.FromMilliseconds(milliseconds);
            var rung = DelayQueues.RoundUp(delay);

            Assert.True(rung >= delay, $"{delay} became {rung}");
            Assert.True(rung - delay <= TimeSpan.FromSeconds(1) || rung <= delay * 1.2001, $"{delay} became {rung}");
        }
    }

    [Fact]
    public void A_longer_delay_goes_round_in_the_longest() => Assert.Equal(DelayQueues.Longest, DelayQueues.RoundUp(TimeSpan.FromDays(20)));

    [Fact]
    public void Names_are_unique_and_say_how_long()
    {
        var names = DelayQueues.Rungs.Select(DelayQueues.NameOf).ToList();

        Assert.Equal(names.Count, names.Distinct().Count());
        Assert.Equal(["delay-0.5s", "delay-1s", "delay-1.5s"], names[..3]);
        Assert.Equal("delay-86400s", names[^1]);
    }
}
