using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Notify.Fanout;
using Notify.IntegrationTests.Brokers;
using Notify.Messaging;
using Notify.Messaging.RabbitMq;
using Notify.Messaging.RabbitMq.Delays;
using Notify.Sending;
using Notify.Tests;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using static Notify.IntegrationTests.RabbitMq.QueueAccess;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>When a worker that is set to another number of lanes than the broker has must not start. The others' bus is played by a consumer.</summary>
[Collection("RabbitMQ")]
public sealed class LaneCheckTests(SharedBrokers brokers) : IDisposable
{
    private readonly WatchedTime _time = new();
    private readonly LogCollector _log = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_next_worker_looks_when_the_one_before_it_consumes_from_its_lanes()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var connection = await ConnectAsync(uri);
        await using var first = Check(uri, lanes: 2, TimeProvider.System);
        await first.StartAsync(Cancellation);

        await using var second = Check(uri, lanes: 1, _time);
        var looks = second.StartAsync(Cancellation);

        // However long: with its turn it would look twice, and find nobody at the lanes.
        await Eventually.TrueAsync(() =>
        {
            _time.Advance(LaneCheck.ReconnectedAfter);
            return looks.IsCompleted || _time.Timers > 5;
        });
        Assert.False(looks.IsCompleted);
        Assert.Contains(_log.Lines, line => line.Contains("Another worker starts", StringComparison.Ordinal));
        await using var consumer = await ConsumeAsync(connection, "subscription-send-0");
        await first.StartedAsync(Cancellation);

        Assert.Contains("1 workers consume", (await RefusalOfAsync(looks)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_whose_bus_does_not_start_keeps_nobody_waiting_for_ever()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var first = Check(uri, lanes: 2, _time);
        var starts = first.StartAsync(Cancellation);
        await Eventually.TrueAsync(() =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return starts.IsCompleted;
        });

        await using var second = Check(uri, lanes: 2, TimeProvider.System);
        var looks = second.StartAsync(Cancellation);
        await Eventually.TrueAsync(() => looks.IsCompleted || _log.Lines.Any(line => line.Contains("Another worker starts", StringComparison.Ordinal)));
        Assert.False(looks.IsCompleted);
        _time.Advance(LaneCheck.LongestTurn);

        await looks;
    }

    [Fact]
    public async Task Workers_that_the_broker_has_just_lost_have_time_to_come_back()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var connection = await ConnectAsync(uri);
        await LeaveLanesAsync(uri, lanes: 2);

        await using var second = Check(uri, lanes: 1, _time);
        var looks = second.StartAsync(Cancellation);
        await Eventually.TrueAsync(() => looks.IsCompleted || _time.Timers > 0);
        await using var consumer = await ConsumeAsync(connection, "subscription-send-1");

        Assert.Contains("1 workers consume", (await RefusalOfAsync(looks)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_held_back_would_come_to_its_old_lane()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var connection = await ConnectAsync(uri);
        await LeaveLanesAsync(uri, lanes: 2);
        await connection.PublishAsync(DelayQueues.NameOf(DelayQueues.Ahead[^1]), "subscription-send-1", ("{}", new BasicProperties { Persistent = true }));

        await using var second = Check(uri, lanes: 4, _time);

        Assert.Contains("0 messages wait in them, 1 are held back in the delay- queues", (await RefusalOfAsync(second.StartAsync(Cancellation))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_failed_in_a_lane_that_is_deleted_is_told_of()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var connection = await ConnectAsync(uri);
        await LeaveLanesAsync(uri, lanes: 2);
        await connection.DeclareAsync("subscription-send-1_error");
        await connection.PublishAsync("", "subscription-send-1_error", ("{}", Failed("it was Monday")));

        await LeaveLanesAsync(uri, lanes: 1);

        Assert.Contains(_log.Lines, line => line.Contains("1 messages are in it: 'replay --queue subscription-send-1_error'", StringComparison.Ordinal));
        Assert.Null(await QuorumQueues.FindAsync(connection, "subscription-send-1", Cancellation));
    }

    public void Dispose() => _log.Dispose();

    private async Task LeaveLanesAsync(Uri uri, int lanes)
    {
        await using var check = Check(uri, lanes, TimeProvider.System);
        await check.StartAsync(Cancellation);
        await check.StartedAsync(Cancellation);
    }

    private LaneCheck Check(Uri uri, int lanes, TimeProvider time) => new(
        RabbitMqAddress.Parse($"{uri}"),
        new Lanes(Options.Create(new NotifyOptions()), Options.Create(new FanoutOptions { Partitions = 1 }), Options.Create(new SendingOptions { Partitions = lanes })),
        time,
        new Logger<LaneCheck>(new LoggerFactory([_log])));

    private async Task<LaneException> RefusalOfAsync(Task start)
    {
        await Eventually.TrueAsync(() =>
        {
            _time.Advance(LaneCheck.ReconnectedAfter);
            return start.IsCompleted;
        });
        return await Assert.ThrowsAsync<LaneException>(() => start);
    }

    private static async Task<IChannel> ConsumeAsync(IConnection connection, string queue)
    {
        var channel = await connection.CreateChannelAsync(cancellationToken: Cancellation);
        await channel.BasicConsumeAsync(queue, autoAck: false, new AsyncEventingBasicConsumer(channel), Cancellation);
        return channel;
    }

    private sealed class WatchedTime : FakeTimeProvider
    {
        private int _timers;

        public int Timers => Volatile.Read(ref _timers);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            Interlocked.Increment(ref _timers);
            return timer;
        }
    }
}
