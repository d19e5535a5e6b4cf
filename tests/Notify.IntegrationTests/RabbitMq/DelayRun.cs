using System.Collections.Concurrent;
using MassTransit;
using Notify.Messaging.RabbitMq;
using Notify.Messaging.RabbitMq.Delays;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>A message that asks to be redelivered.</summary>
/// <param name="Number">Tells it from others.</param>
/// <param name="DelayMilliseconds">After how long.</param>
public sealed record DelayMe(int Number, double DelayMilliseconds);

/// <summary>A bus of its own on a broker, whose one consumer redelivers each message once and takes down when it asked and when the copy came.</summary>
public sealed class DelayRun : IAsyncDisposable
{
    private const int Ahead = -1;

    private readonly IBusControl _bus;
    private readonly ConcurrentDictionary<int, DateTimeOffset> _asked = new();
    private readonly ConcurrentQueue<Redelivered> _came = new();

    private DelayRun(Uri broker, string queue) => _bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
    {
        rabbit.Host(broker);
        rabbit.ReceiveEndpoint(queue, endpoint =>
        {
            endpoint.UseQuorumQueue();
            endpoint.PrefetchCount = 200;
            endpoint.UseDelayQueues(TimeProvider.System);
            endpoint.UseDelayedRedelivery(redelivery => redelivery.Interval(1, TimeSpan.FromMilliseconds(700)));
            endpoint.Handler<DelayMe>(HandleAsync);
        });
    });

    /// <summary>What came back, in order.</summary>
    public IReadOnlyCollection<Redelivered> Came => _came;

    /// <summary>Messages that have asked.</summary>
    public int Asked => _asked.Count;

    /// <summary>Starts the bus.</summary>
    public static async Task<DelayRun> StartAsync(Uri broker, string queue = "delayed-test")
    {
        var run = new DelayRun(broker, queue);
        await run._bus.StartAsync(TestContext.Current.CancellationToken);
        return run;
    }

    /// <summary>Sends messages that ask for these delays; a negative one throws, so that the policy of UseDelayedRedelivery acts.</summary>
    public Task AskAsync(params TimeSpan[] delays) =>
        Task.WhenAll(delays.Select((delay, number) => _bus.Publish(new DelayMe(number, delay.TotalMilliseconds), TestContext.Current.CancellationToken)));

    /// <summary>Sends a message that is to be handled no sooner than so long from now, as one that goes round several times is.</summary>
    public Task SendAheadAsync(TimeSpan ahead)
    {
        var now = DateTimeOffset.UtcNow;
        _asked.TryAdd(Ahead, now);
        return _bus.Publish(
            new DelayMe(Ahead, ahead.TotalMilliseconds),
            context => context.Headers.Set(DelayQueues.NotBeforeHeader, (now + ahead).ToUnixTimeMilliseconds() + 1),
            TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync() => await _bus.StopAsync();

    private async Task HandleAsync(ConsumeContext<DelayMe> context)
    {
        var (number, delay) = (context.Message.Number, TimeSpan.FromMilliseconds(context.Message.DelayMilliseconds));
        if (number == Ahead || context.GetRedeliveryCount() > 0)
        {
            var now = DateTimeOffset.UtcNow;
            _came.Enqueue(new Redelivered(number, delay, now - _asked[number], context.GetRedeliveryCount(), context.MessageId, context.Headers.Get<string>("Kept")));
            return;
        }

        // A copy that the broker delivered again after a crash asks again; the first moment counts.
        _asked.TryAdd(number, DateTimeOffset.UtcNow);
        if (delay < TimeSpan.Zero)
        {
            throw new RetryMeException();
        }

        await context.Redeliver(delay, (_, send) => send.Headers.Set("Kept", "yes"));
    }

    private sealed class RetryMeException : Exception;
}

/// <summary>A redelivery.</summary>
/// <param name="Number">Of which message.</param>
/// <param name="Asked">The delay asked for.</param>
/// <param name="Measured">The time from asking to the copy's coming.</param>
/// <param name="Count">MassTransit's redelivery count.</param>
/// <param name="MessageId">The copy's message id.</param>
/// <param name="Kept">A header set on redelivery.</param>
public sealed record Redelivered(int Number, TimeSpan Asked, TimeSpan Measured, int Count, Guid? MessageId, string? Kept);
