using Microsoft.Extensions.Options;
using Notify.Sending;

namespace Notify.Tests.Sending;

public sealed class RetryScheduleTests
{
    private static readonly RetrySchedule Schedule = new(Options.Create(new SendingOptions { RetryDelay = TimeSpan.FromSeconds(1), MaxRetryDelay = TimeSpan.FromSeconds(60) }));

    [Theory]
    [InlineData(1, 1, 1.25)]
    [InlineData(2, 2, 2.5)]
    [InlineData(3, 4, 5)]
    [InlineData(7, 60, 60)]
    [InlineData(1000, 60, 60)]
    public void The_wait_doubles_up_to_the_most_with_a_quarter_of_jitter(int attempts, double least, double most)
    {
        for (var i = 0; i < 200; i++)
        {
            Assert.InRange(Schedule.NextDelay(attempts, null).TotalSeconds, least, most);
        }
    }

    [Fact]
    public void The_longest_waits_that_can_be_set_are_no_more_than_that_after_any_number_of_attempts()
    {
        var schedule = new RetrySchedule(Options.Create(new SendingOptions { RetryDelay = TimeSpan.FromHours(1), MaxRetryDelay = TimeSpan.FromDays(1) }));

        Assert.All(Enumerable.Range(6, 5000), attempts => Assert.Equal(TimeSpan.FromDays(1), schedule.NextDelay(attempts, null)));
    }

    [Fact]
    public void Jitter_is_there() => Assert.True(Enumerable.Range(0, 50).Select(_ => Schedule.NextDelay(1, null)).Distinct().Count() > 1);

    [Fact]
    public void A_longer_retry_after_wins_even_over_the_most() => Assert.InRange(Schedule.NextDelay(1, TimeSpan.FromSeconds(120)).TotalSeconds, 120, 126);

    [Fact]
    public void A_shorter_retry_after_does_not() => Assert.InRange(Schedule.NextDelay(3, TimeSpan.FromSeconds(1)).TotalSeconds, 4, 5);
}
