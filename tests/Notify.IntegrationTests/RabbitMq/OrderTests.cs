using System.Globalization;
using Notify.IntegrationTests.Brokers;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>Nothing is lost and nothing overtakes, with many workers and one of them killed.</summary>
[Collection("RabbitMQ")]
public sealed class OrderTests(SharedBrokers brokers, ITestOutputHelper output)
{
    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task Pushes_keep_their_order_across_retries_and_the_death_of_a_worker(RabbitMqVersion version)
    {
        var broker = await brokers.NewVirtualHostAsync(version);

        var run = await OrderRun.RunAsync($"{broker}", workers: 2, lanes: 4, subscriptions: 30, events: 20, TimeSpan.FromMinutes(5), OrderRun.KillOneAsync);

        output.WriteLine($"{run}");
        Assert.Equal((0, 0), (run.Lost, run.Reordered));
    }

    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task A_worker_that_is_told_to_stop_hands_its_lanes_over_in_order_and_pushes_nothing_twice(RabbitMqVersion version)
    {
        var broker = await brokers.NewVirtualHostAsync(version);

        var run = await OrderRun.RunAsync($"{broker}", workers: 2, lanes: 4, subscriptions: 30, events: 20, TimeSpan.FromMinutes(5), OrderRun.StopOneAsync);

        output.WriteLine($"{run}");
        Assert.Equal((0, 0, 0), (run.Lost, run.Reordered, run.Duplicates));
    }

    /// <summary>
    /// The table of docs/evidence.md, by hand: ten runs on each version (NOTIFY_TEST_ORDER_RUNS), every second one with a worker killed, every fourth with one stopped. Another build of the worker is
    /// put to the same test with NOTIFY_TEST_WORKER.
    /// </summary>
    [Theory(Explicit = true)]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task A_soak_of_many_runs(RabbitMqVersion version)
    {
        var runs = int.Parse(Environment.GetEnvironmentVariable("NOTIFY_TEST_ORDER_RUNS") ?? "10", CultureInfo.InvariantCulture);
        for (var i = 1; i <= runs; i++)
        {
            var broker = await brokers.NewVirtualHostAsync(version);
            var (what, meanwhile) = (i % 4) switch { 1 or 3 => ("kill -9", OrderRun.KillOneAsync), 2 => ("SIGTERM", OrderRun.StopOneAsync), _ => ("", (Func<OrderRunUnderWay, Task>)OrderRun.NothingAsync) };

            var run = await OrderRun.RunAsync($"{broker}", workers: 4, lanes: 8, subscriptions: 200, events: 50, TimeSpan.FromMinutes(5), meanwhile);

            Assert.Equal((0, 0), (run.Lost, run.Reordered));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {version} | {i} | {what} | {run.Pushes} | {run.Lost} | {run.Reordered} | {run.Duplicates} | {run.Took.TotalSeconds:0} |"));
        }
    }

    [Fact]
    public async Task A_cluster_that_loses_the_node_of_its_queues_leaders_loses_no_push()
    {
        await using var cluster = await RabbitMqCluster.StartAsync(TestContext.Current.CancellationToken);

        var run = await OrderRun.RunAsync(
            string.Join(',', cluster.Nodes.Select(node => node.AmqpUri)), workers: 2, lanes: 4, subscriptions: 30, events: 20, TimeSpan.FromMinutes(5),
            async _ =>
            {
                var queues = await cluster.Nodes[1].Management.QueuesAsync();
                var leader = queues.Where(queue => queue.Type == "quorum").GroupBy(queue => queue.Leader).MaxBy(group => group.Count())!.Key;
                await cluster.Nodes.Single(node => node.NodeName == leader).KillAsync();
            });

        output.WriteLine($"{run}");
        Assert.Equal((0, 0), (run.Lost, run.Reordered));
    }
}
