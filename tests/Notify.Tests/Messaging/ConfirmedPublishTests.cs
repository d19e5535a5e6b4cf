using Microsoft.Extensions.Time.Testing;
using Notify.Messaging;

namespace Notify.Tests.Messaging;

public sealed class ConfirmedPublishTests
{
    private readonly FakeTimeProvider _time = new();
    private CancellationToken _givenUp;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_confirmed_is_answered() => Assert.Equal(1, await ConfirmedPublish.InTimeAsync(_ => Task.FromResult(1), _time, Cancellation));

    [Fact]
    public async Task A_bus_that_confirms_nothing_is_given_up_after_its_time_and_asked_to_forget_it()
    {
        var published = ConfirmedPublish.InTimeAsync(NeverAsync, _time, Cancellation);
        _time.Advance(ConfirmedPublish.Patience);

        await Assert.ThrowsAsync<TimeoutException>(() => published);
        Assert.True(_givenUp.IsCancellationRequested);
    }

    [Fact]
    public async Task A_caller_that_has_gone_waits_for_nothing()
    {
        using var gone = new CancellationTokenSource();
        var published = ConfirmedPublish.InTimeAsync(NeverAsync, _time, gone.Token);
        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => published);
    }

    private Task<int> NeverAsync(CancellationToken cancellationToken)
    {
        _givenUp = cancellationToken;
        return new TaskCompletionSource<int>().Task;
    }
}
