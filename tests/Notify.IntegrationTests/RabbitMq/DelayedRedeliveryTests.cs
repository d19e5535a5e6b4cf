using System.Globalization;
using Notify.IntegrationTests.Brokers;
using Notify.Messaging.RabbitMq;
using Notify.Messaging.RabbitMq.Delays;
using Notify.Tests;
using RabbitMQ.Client;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>Delayed redelivery through <see cref="DelayQueues"/>, on both versions of RabbitMQ, with no plugin but the management's.</summary>
[Collection("RabbitMQ")]
public sealed class DelayedRedeliveryTests(SharedBrokers brokers, ITestOutputHelper output)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task A_message_comes_back_never_early_and_a_long_delay_blocks_no_shorter_one(RabbitMqVersion version)
    {
        await using var run = await DelayRun.StartAsync(await brokers.NewVirtualHostAsync(version));

        // The long ones first, and one that would take an hour.
        await run.AskAsync([.. new double[] { 3_600_000, 7_000, 3_600, 1 }.Select(TimeSpan.FromMilliseconds)]);

        await Eventually.TrueAsync(() => run.Came.Count == 3);
        Assert.Equal([3, 2, 1], run.Came.Select(came => came.Number));
        Assert.All(run.Came, came => Assert.True(came.Measured >= came.Asked, $"{came} came early"));
        Assert.All(run.Came, came => Assert.Equal((1, "yes"), (came.Count, came.Kept)));
    }

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task The_policy_of_UseDelayedRedelivery_works_unchanged_on_top(RabbitMqVersion version)
    {
        await using var run = await DelayRun.StartAsync(await brokers.NewVirtualHostAsync(version));

        await run.AskAsync(TimeSpan.FromMilliseconds(-1));

        await Eventually.TrueAsync(() => run.Came.Count == 1);
        Assert.Equal(1, run.Came.Single().Count);
        Assert.True(run.Came.Single().Measured >= TimeSpan.FromMilliseconds(700));
    }

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task What_the_broker_holds_back_survives_a_kill_of_the_broker(RabbitMqVersion version)
    {
        await using var broker = await RabbitMqBroker.StartAsync(version, Cancellation);
        await using var run = await DelayRun.StartAsync(broker.AmqpUri);

        // The second is the first of its length, and declares the queue for it.
        await run.AskAsync(TimeSpan.FromSeconds(9), TimeSpan.FromHours(1));
        await Eventually.TrueAsync(() => run.Asked == 2);
        await HoldsAsync("delay-9s");
        await HoldsAsync("delay-3313s");
        await broker.KillAsync();
        await broker.StartAgainAsync(Cancellation);

        await Eventually.TrueAsync(() => run.Came.Count == 1);
        Assert.True(run.Came.Single().Measured >= TimeSpan.FromSeconds(9));
        await HoldsAsync("delay-3313s");

        Task HoldsAsync(string delay) => Eventually.GetAsync(() => broker.Management.QueuesAsync("/"), queues => queues.Any(queue => queue.Name == delay && queue.Messages == 1));
    }

    // Of two priorities a message whose time is up might wait behind one whose time is not.
    [Fact]
    public async Task All_that_is_held_back_has_one_priority()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        await using var run = await DelayRun.StartAsync(uri);

        await run.AskAsync(TimeSpan.FromHours(1));

        await using var connection = await QueueAccess.ConnectAsync(uri);
        await Eventually.GetAsync(() => connection.CountAsync("delay-3313s"), count => count == 1);
        Assert.Equal(Priorities.High, Assert.Single(await connection.TakeAllAsync("delay-3313s")).BasicProperties.Priority);
    }

    /// <summary>A queue that is killed with its broker within a second of its declaration may come back such that it takes messages, and confirms none.</summary>
    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task A_delay_whose_declaration_was_cut_off_by_a_kill_of_the_broker_works(RabbitMqVersion version)
    {
        await using var broker = await RabbitMqBroker.StartAsync(version, Cancellation);
        await using (var connection = await new ConnectionFactory { Uri = broker.AmqpUri, AutomaticRecoveryEnabled = false }.CreateConnectionAsync(Cancellation))
        {
            await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancellation);
            var queue = DelayQueues.QueueOf(TimeSpan.FromSeconds(1));
            await channel.QueueDeclareAsync(queue.Name, durable: true, exclusive: false, autoDelete: false, queue.Arguments, cancellationToken: Cancellation);
            await broker.KillAsync();
        }

        await broker.StartAgainAsync(Cancellation);

        await using var run = await DelayRun.StartAsync(broker.AmqpUri);
        await run.AskAsync(TimeSpan.FromSeconds(1));
        await Eventually.TrueAsync(() => run.Came.Count == 1);
    }

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task A_delay_whose_declaration_was_cut_off_is_declared_anew(RabbitMqVersion version)
    {
        var uri = await brokers.NewVirtualHostAsync(version);
        await using var connection = await new ConnectionFactory { Uri = uri }.CreateConnectionAsync(Cancellation);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancellation);

        // Declared otherwise than it should be, so that it would be refused were it not made anew.
        await channel.QueueDeclareAsync("delay-1s", durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }, cancellationToken: Cancellation);

        await using var run = await DelayRun.StartAsync(uri);
        await run.AskAsync(TimeSpan.FromSeconds(1));

        await Eventually.TrueAsync(() => run.Came.Count == 1);
    }

    [Theory]
    [InlineData(3 * 86400, "delay-86400s")]
    [InlineData(3600, "delay-3313s")]
    [InlineData(62, "delay-62s")]
    public async Task A_long_delay_waits_in_the_longest_queue_that_fits_into_it_and_carries_when_it_is_over(int seconds, string queue)
    {
        var (uri, delay) = (await brokers.NewVirtualHostAsync(RabbitMqVersion.V4), TimeSpan.FromSeconds(seconds));
        await using var run = await DelayRun.StartAsync(uri);

        var before = DateTimeOffset.UtcNow;
        await run.AskAsync(delay);

        await using var connection = await QueueAccess.ConnectAsync(uri);
        await Eventually.GetAsync(() => connection.CountAsync(queue), count => count == 1);
        var headers = Assert.Single(await connection.TakeAllAsync(queue)).BasicProperties.Headers!;
        if (queue == DelayQueues.NameOf(delay))
        {
            Assert.DoesNotContain(DelayQueues.NotBeforeHeader, headers.Keys);
        }
        else
        {
            Assert.InRange(DateTimeOffset.FromUnixTimeMilliseconds((long)headers[DelayQueues.NotBeforeHeader]!), (before + delay).AddSeconds(-1), DateTimeOffset.UtcNow + delay);
        }

        Assert.Empty(run.Came);
    }

    [Fact]
    public async Task What_comes_before_its_time_is_held_back_again()
    {
        await using var run = await DelayRun.StartAsync(await brokers.NewVirtualHostAsync(RabbitMqVersion.V4));

        await run.SendAheadAsync(TimeSpan.FromSeconds(3));

        await Eventually.TrueAsync(() => run.Came.Count == 1);
        Assert.True(run.Came.Single().Measured >= TimeSpan.FromSeconds(3));
    }

    /// <summary>
    /// Asked against measured, for a table in the docs. By hand: NOTIFY_TEST_DELAYS names the longest delay in seconds; with NOTIFY_TEST_DELAYS_KILL the broker is killed
    /// once in each eighth of that time.
    /// </summary>
    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task Asked_against_measured(RabbitMqVersion version)
    {
        var longest = double.Parse(Environment.GetEnvironmentVariable("NOTIFY_TEST_DELAYS") ?? "4", CultureInfo.InvariantCulture);
        var kills = Environment.GetEnvironmentVariable("NOTIFY_TEST_DELAYS_KILL") is null ? 0 : 7;
        double[] seconds = [1, 1.7, 2, 4, 5.1, 10, 13, 30, 45, 60, 100, 120, 300, 420, 600, 900, 1200, 1800, 2700, 3600];
        var delays = seconds.Where(each => each <= longest).Select(TimeSpan.FromSeconds).ToArray();
        await using var broker = await RabbitMqBroker.StartAsync(version, Cancellation);
        await using var run = await DelayRun.StartAsync(broker.AmqpUri);
        await run.AskAsync(delays);
        await Eventually.TrueAsync(() => run.Asked == delays.Length);
        for (var kill = 0; kill < kills; kill++)
        {
            await Task.Delay(TimeSpan.FromSeconds(longest / (kills + 1)), Cancellation);
            await broker.KillAsync();
            await broker.StartAgainAsync(Cancellation);
        }

        await Eventually.GetAsync(() => Task.FromResult(run.Came.Count), count => count == delays.Length, TimeSpan.FromSeconds((longest * 1.3) + 60));
        foreach (var came in run.Came)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {came.Asked.TotalSeconds:0.0} | {came.Measured.TotalSeconds:0.00} | {(came.Measured / came.Asked) - 1:0.0%} |"));
        }

        Assert.All(run.Came, came => Assert.True(came.Measured >= came.Asked, $"{came} came early"));
    }
}
