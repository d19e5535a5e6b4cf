using Notify.Messaging.RabbitMq;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class DeliveryOrderTests
{
    private readonly DeliveryOrder _order = new();

    [Fact]
    public void The_first_is_reached_at_once() => Assert.True(_order.ReachedAsync(1).IsCompleted);

    [Fact]
    public async Task A_message_waits_until_all_before_it_have_passed_in_whatever_order()
    {
        var fourth = _order.ReachedAsync(4);
        _order.Pass(2);
        _order.Pass(1);
        Assert.False(fourth.IsCompleted);

        _order.Pass(3);

        await fourth;
    }

    [Fact]
    public async Task Whatever_order_they_start_in_they_take_their_turns_by_tag()
    {
        var turns = new List<ulong>();
        var tags = Enumerable.Range(1, 500).Select(tag => (ulong)tag).ToArray();
        Random.Shared.Shuffle(tags);

        await Task.WhenAll(tags.Select(tag => Task.Run(async () =>
        {
            await _order.ReachedAsync(tag);
            turns.Add(tag);
            _order.Pass(tag);
        })));

        Assert.Equal(tags.Order(), turns);
    }

    [Fact]
    public async Task On_a_channel_that_had_another_consumer_nobody_waits_for_what_that_one_got()
    {
        _order.Delivered(101);
        _order.Delivered(102);
        var second = _order.ReachedAsync(102);
        Assert.False(second.IsCompleted);
        Assert.True(_order.ReachedAsync(101).IsCompleted);

        _order.Pass(101);

        await second;
    }

    [Fact]
    public async Task A_message_whose_channel_closed_does_not_wait_for_one_that_will_never_pass()
    {
        using var closed = new CancellationTokenSource();
        var waiting = new DeliveryPlace(_order, 2).ReachedAsync(closed.Token);

        await closed.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task A_place_is_passed_once_however_often_it_is_said()
    {
        var first = new DeliveryPlace(_order, 1);
        await first.ReachedAsync(TestContext.Current.CancellationToken);
        first.Pass();
        first.Pass();

        // Else something of each message would be kept for ever.
        Assert.Equal(0, _order.Kept);
        Assert.True(_order.ReachedAsync(2).IsCompleted);
        Assert.False(_order.ReachedAsync(3).IsCompleted);
    }
}
