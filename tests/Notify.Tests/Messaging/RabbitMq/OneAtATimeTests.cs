using Notify.Messaging.RabbitMq;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class OneAtATimeTests
{
    private readonly OneAtATime _oneAtATime = new();
    private readonly string _subscription = Guid.NewGuid().ToString();

    [Fact]
    public async Task The_second_enters_when_the_first_has_left()
    {
        var first = await _oneAtATime.EnterAsync(_subscription);
        var second = _oneAtATime.EnterAsync(_subscription);
        Assert.False(second.IsCompleted);

        first.Dispose();

        await second;
    }

    [Fact]
    public async Task Another_subscription_does_not_wait()
    {
        using var first = await _oneAtATime.EnterAsync(_subscription);

        Assert.True(_oneAtATime.EnterAsync(Guid.NewGuid().ToString()).IsCompleted);
    }

    [Fact]
    public async Task Who_comes_after_one_that_waited_waits_for_that_one()
    {
        var first = await _oneAtATime.EnterAsync(_subscription);
        var second = _oneAtATime.EnterAsync(_subscription);
        first.Dispose();
        using var inside = await second;

        Assert.False(_oneAtATime.EnterAsync(_subscription).IsCompleted);
    }

    [Fact]
    public async Task Never_two_are_inside_and_all_come_through()
    {
        var (inside, most, through) = (0, 0, 0);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => Task.Run(async () =>
        {
            using (await _oneAtATime.EnterAsync(_subscription))
            {
                most = Math.Max(most, Interlocked.Increment(ref inside));
                await Task.Yield();
                Interlocked.Decrement(ref inside);
                through++;
            }
        })));

        Assert.Equal((1, 200), (most, through));
    }
}
