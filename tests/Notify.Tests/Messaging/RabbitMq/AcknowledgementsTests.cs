using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using Notify.Messaging.RabbitMq;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class AcknowledgementsTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly ConcurrentQueue<(ulong DeliveryTag, bool Multiple)> _sent = [];
    private readonly ConcurrentBag<Exception> _failures = [];

    [Fact]
    public async Task Messages_with_none_before_them_are_acknowledged_in_one_frame()
    {
        await using var acknowledgements = Start();

        await EndAsync(acknowledgements.AddAsync(2), acknowledgements.AddAsync(1), acknowledgements.AddAsync(3));

        Assert.Equal([(3ul, true)], _sent);
    }

    [Fact]
    public async Task A_single_message_is_acknowledged_alone()
    {
        await using var acknowledgements = Start();

        await EndAsync(acknowledgements.AddAsync(1));
        await EndAsync(acknowledgements.AddAsync(2));

        Assert.Equal([(1ul, false), (2ul, false)], _sent);
    }

    [Fact]
    public async Task One_waits_for_those_before_it_and_goes_with_them()
    {
        await using var acknowledgements = Start();
        var second = acknowledgements.AddAsync(2);
        _time.Advance(Acknowledgements.Linger);

        await EndAsync(acknowledgements.AddAsync(1), second);

        Assert.Equal([(2ul, true)], _sent);
    }

    [Fact]
    public async Task Those_behind_one_that_takes_its_time_are_acknowledged_by_themselves_and_it_when_it_is_done()
    {
        await using var acknowledgements = Start();

        await EndAsync(acknowledgements.AddAsync(3), acknowledgements.AddAsync(2));
        Assert.Equal([(2ul, false), (3ul, false)], _sent);

        await EndAsync(acknowledgements.AddAsync(1));
        await EndAsync(acknowledgements.AddAsync(4), acknowledgements.AddAsync(5));
        Assert.Equal([(2ul, false), (3ul, false), (1ul, false), (5ul, true)], _sent);
    }

    [Fact]
    public async Task Nobody_waits_for_one_that_was_given_back()
    {
        await using var acknowledgements = Start();
        acknowledgements.GivenBack(1);
        acknowledgements.GivenBack(4);

        await EndAsync(acknowledgements.AddAsync(2), acknowledgements.AddAsync(3));

        Assert.Equal([(3ul, true)], _sent);
    }

    [Fact]
    public async Task A_channel_that_was_used_before_counts_on()
    {
        await using var acknowledgements = Start();
        acknowledgements.Delivered(101);
        acknowledgements.Delivered(102);

        await EndAsync(acknowledgements.AddAsync(102), acknowledgements.AddAsync(101));

        Assert.Equal([(102ul, true)], _sent);
    }

    [Fact]
    public async Task What_cannot_be_acknowledged_is_said_to_each_that_waits_for_it()
    {
        await using var acknowledgements = new Acknowledgements((_, _) => throw new IOException("closed"), FailAsync, _time);
        Task[] some = [acknowledgements.AddAsync(1), acknowledgements.AddAsync(2)];

        await Assert.ThrowsAsync<IOException>(() => EndAsync(some));

        Assert.All(some, one => Assert.IsType<IOException>(one.Exception!.InnerException));
        Assert.Empty(_failures);
    }

    [Fact]
    public async Task A_message_that_is_acknowledged_twice_takes_nothing_along()
    {
        await using var acknowledgements = Start();
        var (second, again) = (acknowledgements.AddAsync(2), acknowledgements.AddAsync(2));

        await Assert.ThrowsAsync<InvalidOperationException>(() => EndAsync(again));
        await EndAsync(acknowledgements.AddAsync(1), second);

        Assert.Empty(_failures);
    }

    [Fact]
    public async Task An_end_before_its_time_is_said_to_all_and_nothing_more_is_taken()
    {
        await using var acknowledgements = new Acknowledgements((_, _) => ValueTask.CompletedTask, FailAsync, new NoTime());

        await Assert.ThrowsAsync<NotSupportedException>(() => acknowledgements.AddAsync(1));

        await Eventually.TrueAsync(() => !_failures.IsEmpty);
        Assert.IsType<NotSupportedException>(Assert.Single(_failures));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => acknowledgements.AddAsync(2));
    }

    [Fact]
    public async Task At_the_end_what_still_waits_is_acknowledged_and_nothing_more_is_taken()
    {
        var acknowledgements = Start();
        Task[] some = [acknowledgements.AddAsync(1), acknowledgements.AddAsync(3)];

        await acknowledgements.DisposeAsync();

        await Task.WhenAll(some);
        Assert.Equal([(1ul, false), (3ul, false)], _sent);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => acknowledgements.AddAsync(4));
    }

    private Acknowledgements Start() => new(
        (deliveryTag, multiple) =>
        {
            _sent.Enqueue((deliveryTag, multiple));
            return ValueTask.CompletedTask;
        },
        FailAsync,
        _time);

    private Task FailAsync(Exception exception)
    {
        _failures.Add(exception);
        return Task.CompletedTask;
    }

    private async Task EndAsync(params Task[] acknowledged)
    {
        var all = Task.WhenAll(acknowledged);
        await Eventually.TrueAsync(() =>
        {
            // In small steps, lest they be late that should not.
            _time.Advance(Acknowledgements.Linger / 5);
            return all.IsCompleted;
        });
        await all;
    }

    private sealed class NoTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => throw new NotSupportedException();
    }
}
