using Microsoft.Extensions.Time.Testing;

namespace Notify.WebPush.Tests;

public sealed class RequestTimeoutsTests
{
    [Fact]
    public void A_source_that_was_not_cancelled_serves_again_with_its_whole_time()
    {
        var timeouts = new RequestTimeouts(TimeProvider.System);
        var source = timeouts.Rent(TimeSpan.FromHours(1));
        timeouts.Return(source);

        Assert.Same(source, timeouts.Rent(TimeSpan.FromMilliseconds(1)));
        Assert.True(source.Token.WaitHandle.WaitOne(TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void What_hung_on_a_source_before_does_not_hang_on_it_again()
    {
        var timeouts = new RequestTimeouts(TimeProvider.System);
        var source = timeouts.Rent(TimeSpan.FromHours(1));
        var count = 0;
        source.Token.Register(() => count++);
        timeouts.Return(source);

        timeouts.Rent(TimeSpan.FromHours(1)).Cancel();

        Assert.True(source.IsCancellationRequested);
        Assert.Equal(0, count);
    }

    [Fact]
    public void A_source_that_was_cancelled_does_not_serve_again()
    {
        var timeouts = new RequestTimeouts(TimeProvider.System);
        var source = timeouts.Rent(TimeSpan.FromHours(1));
        source.Cancel();
        timeouts.Return(source);

        using var other = timeouts.Rent(TimeSpan.FromHours(1));

        Assert.NotSame(source, other);
        Assert.False(other.IsCancellationRequested);
    }

    [Fact]
    public void The_time_is_that_of_the_clock_given()
    {
        var time = new FakeTimeProvider();
        var timeouts = new RequestTimeouts(time);
        for (var i = 0; i < 2; i++)
        {
            var source = timeouts.Rent(TimeSpan.FromSeconds(10));
            time.Advance(TimeSpan.FromSeconds(9));
            Assert.False(source.IsCancellationRequested);
            timeouts.Return(source);
        }

        using var last = timeouts.Rent(TimeSpan.FromSeconds(10));
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.True(last.IsCancellationRequested);
    }

    [Fact]
    public void A_source_without_end_serves_again_with_one()
    {
        var timeouts = new RequestTimeouts(TimeProvider.System);
        timeouts.Return(timeouts.Rent(Timeout.InfiniteTimeSpan));

        using var source = timeouts.Rent(TimeSpan.FromMilliseconds(1));

        Assert.True(source.Token.WaitHandle.WaitOne(TimeSpan.FromMinutes(1)));
    }
}
