using System.Threading.Channels;
using Notify.Store;

namespace Notify.Tests.Store;

public sealed class GatheringTests
{
    private readonly Channel<IReadOnlyList<int>> _handled = Channel.CreateUnbounded<IReadOnlyList<int>>();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_comes_while_the_handler_is_at_work_is_handled_together_and_no_more_than_so_many_at_once()
    {
        var work = new TaskCompletionSource();
        await using var gathering = new Gathering<int>(3, some => HandleAsync(some, work.Task));
        gathering.Add(0);
        Assert.Equal([0], await _handled.Reader.ReadAsync(Cancellation));

        for (var item = 1; item <= 5; item++)
        {
            gathering.Add(item);
        }

        work.SetResult();

        Assert.Equal([1, 2, 3], await _handled.Reader.ReadAsync(Cancellation));
        Assert.Equal([4, 5], await _handled.Reader.ReadAsync(Cancellation));
    }

    [Fact]
    public async Task Alone_one_waits_for_no_others_however_long_the_others_are_waited_for()
    {
        await using var gathering = new Gathering<int>(3, some => HandleAsync(some, Task.CompletedTask), TimeSpan.FromDays(1));

        gathering.Add(1);
        Assert.Equal([1], await _handled.Reader.ReadAsync(Cancellation));
        gathering.Add(2);
        Assert.Equal([2], await _handled.Reader.ReadAsync(Cancellation));
    }

    [Fact]
    public async Task After_several_at_once_the_next_waits_for_others_to_come_along()
    {
        var work = new TaskCompletionSource();
        await using var gathering = new Gathering<int>(10, some => HandleAsync(some, work.Task), TimeSpan.FromSeconds(1));
        gathering.Add(0);
        Assert.Equal([0], await _handled.Reader.ReadAsync(Cancellation));
        gathering.Add(1);
        gathering.Add(2);
        work.SetResult();
        Assert.Equal([1, 2], await _handled.Reader.ReadAsync(Cancellation));

        gathering.Add(3);
        gathering.Add(4);

        Assert.Equal([3, 4], await _handled.Reader.ReadAsync(Cancellation));
    }

    [Fact]
    public async Task It_knows_nothing_of_the_trace_of_whoever_made_it()
    {
        using var activity = new System.Diagnostics.Activity("first").Start();
        var seen = new TaskCompletionSource<System.Diagnostics.Activity?>();
        await using var gathering = new Gathering<int>(1, _ =>
        {
            seen.SetResult(System.Diagnostics.Activity.Current);
            return Task.CompletedTask;
        });

        gathering.Add(1);

        Assert.Null(await seen.Task.WaitAsync(Cancellation));
    }

    [Fact]
    public async Task It_ends_when_all_that_was_added_is_handled_and_takes_no_more()
    {
        var gathering = new Gathering<int>(1, some => HandleAsync(some, Task.CompletedTask), TimeSpan.FromMilliseconds(1));
        for (var item = 0; item < 10; item++)
        {
            gathering.Add(item);
        }

        await gathering.DisposeAsync();

        Assert.Equal(10, _handled.Reader.Count);
        Assert.Throws<ObjectDisposedException>(() => gathering.Add(10));
    }

    private async Task HandleAsync(IReadOnlyList<int> some, Task work)
    {
        _handled.Writer.TryWrite(some);
        await work;
    }
}
