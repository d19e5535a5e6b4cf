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

        Add(acknowledgements, 2, 1, 3);

        await SentInAllAsync(acknowledgements, (3, true));
    }

    [Fact]
    public async Task A_single_message_is_acknowledged_alone()
    {
        await using var acknowledgements = Start();

        Add(acknowledgements, 1);
        await SentAsync((1, false));
        Add(acknowledgements, 2);

        await SentInAllAsync(acknowledgements, (1, false), (2, false));
    }

    [Fact]
    public async Task One_waits_for_those_before_it_and_goes_with_them()
    {
        await using var acknowledgements = Start();
        Add(acknowledgements, 2);
        _time.Advance(Acknowledgements.Linger);

        Add(acknowledgements, 1);

        await SentInAllAsync(acknowledgements, (2, true));
    }

    [Fact]
    public async Task Those_behind_one_that_takes_its_time_are_acknowledged_by_themselves_and_it_when_it_is_done()
    {
        await using var acknowledgements = Start();

        Add(acknowledgements, 3, 2);
        await SentAsync((2, false), (3, false));

        Add(acknowledgements, 1);
        await SentAsync((2, false), (3, false), (1, false));
        Add(acknowledgements, 4, 5);
        await SentInAllAsync(acknowledgements, (2, false), (3, false), (1, false), (5, true));
    }

    [Fact]
    public async Task Nobody_waits_for_one_that_was_given_back()
    {
        await using var acknowledgements = Start();
        acknowledgements.GivenBack(1);
        acknowledgements.GivenBack(4);

        Add(acknowledgements, 2, 3);

        await SentInAllAsync(acknowledgements, (3, true));
    }

    [Fact]
    public async Task A_channel_that_was_used_before_counts_on()
    {
        await using var acknowledgements = Start();
        acknowledgements.Delivered(101);
        acknowledgements.Delivered(102);

        Add(acknowledgements, 102, 101);

        await SentInAllAsync(acknowledgements, (102, true));
    }

    [Fact]
    public async Task A_message_is_never_acknowledged_before_one_of_those_before_it_that_came_later()
    {
        await using var acknowledgements = Start();
        Add(acknowledgements, 3);
        await PassAsync(Acknowledgements.WaitsAtMost / 2);

        // Not late itself when the third is.
        Add(acknowledgements, 2);

        await SentInAllAsync(acknowledgements, (2, false), (3, false));
    }

    [Fact]
    public async Task A_message_that_is_added_twice_takes_nothing_along()
    {
        await using var acknowledgements = Start();
        Add(acknowledgements, 2, 2, 1);

        await SentAsync((2, true));

        Add(acknowledgements, 3);
        await SentInAllAsync(acknowledgements, (2, true), (3, false));
        Assert.Empty(_failures);
    }

    [Fact]
    public async Task Where_one_cannot_be_acknowledged_none_is_any_more_and_that_is_said_once()
    {
        var tried = 0;
        await using var acknowledgements = new Acknowledgements(
            (_, _) =>
            {
                tried++;
                throw new IOException("closed");
            },
            FailAsync,
            _time);

        Add(acknowledgements, 1, 3);

        await AdvanceUntilAsync(() => !_failures.IsEmpty);
        Assert.False(acknowledgements.TryAdd(2));
        await acknowledgements.EndAsync();
        Assert.IsType<IOException>(Assert.Single(_failures));
        Assert.Equal(1, tried);
    }

    [Fact]
    public async Task At_the_end_what_still_waits_is_acknowledged_and_nothing_more_is_taken()
    {
        await using var acknowledgements = Start();
        Add(acknowledgements, 1, 3);

        await acknowledgements.EndAsync();

        Assert.Equal([(1ul, false), (3ul, false)], _sent);
        Assert.False(acknowledgements.TryAdd(4));
    }

    private static void Add(Acknowledgements acknowledgements, params ulong[] deliveryTags) => Assert.All(deliveryTags, deliveryTag => Assert.True(acknowledgements.TryAdd(deliveryTag)));

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

    private async Task SentAsync(params (ulong DeliveryTag, bool Multiple)[] sent)
    {
        await AdvanceUntilAsync(() => _sent.Count >= sent.Length);
        Assert.Equal(sent, _sent);
    }

    // And no more, when all that waits goes at once.
    private async Task SentInAllAsync(Acknowledgements acknowledgements, params (ulong DeliveryTag, bool Multiple)[] sent)
    {
        await SentAsync(sent);
        await acknowledgements.EndAsync();
        Assert.Equal(sent, _sent);
    }

    // In small steps, as time passes.
    private async Task PassAsync(TimeSpan time)
    {
        for (var end = _time.GetUtcNow() + time; _time.GetUtcNow() < end; await Task.Yield())
        {
            _time.Advance(Acknowledgements.Linger / 5);
        }
    }

    // In small steps, lest they be late that should not.
    private Task AdvanceUntilAsync(Func<bool> condition) => Eventually.TrueAsync(() =>
    {
        _time.Advance(Acknowledgements.Linger / 5);
        return condition();
    });
}
