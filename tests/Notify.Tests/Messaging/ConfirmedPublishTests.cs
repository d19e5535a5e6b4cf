using System.Reflection;
using MassTransit;
using Microsoft.Extensions.Time.Testing;
using Notify.Contracts;
using Notify.Messaging;

namespace Notify.Tests.Messaging;

public sealed class ConfirmedPublishTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly IBus _bus = DispatchProxy.Create<IBus, SilentBus>();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_bus_that_confirms_nothing_is_given_up_after_its_time_and_asked_to_forget_it()
    {
        var published = _bus.PublishInTimeAsync(new PushDisplayed(Guid.NewGuid(), "ada", Guid.NewGuid(), DateTimeOffset.UnixEpoch), _time, Cancellation);
        _time.Advance(ConfirmedPublish.Patience);

        await Assert.ThrowsAsync<TimeoutException>(() => published);
        Assert.True(((SilentBus)(object)_bus).IsGivenUp);
    }

    [Fact]
    public async Task A_caller_that_has_gone_waits_for_nothing()
    {
        using var gone = new CancellationTokenSource();
        var published = _bus.PublishInTimeAsync(new PushDisplayed(Guid.NewGuid(), "ada", Guid.NewGuid(), DateTimeOffset.UnixEpoch), _time, gone.Token);
        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => published);
    }

    public class SilentBus : DispatchProxy
    {
        private CancellationToken _givenUp;

        public bool IsGivenUp => _givenUp.IsCancellationRequested;

        protected override object Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            _givenUp = args!.OfType<CancellationToken>().Single();
            return new TaskCompletionSource().Task;
        }
    }
}
