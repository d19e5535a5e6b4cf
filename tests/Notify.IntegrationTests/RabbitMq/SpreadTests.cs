using System.Globalization;
using Notify.IntegrationTests.Brokers;
using Notify.Tests;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>Lanes divide themselves among the workers that are there: by consumer priority, which RabbitMQ 4.0 and later heed for single active consumers.</summary>
[Collection("RabbitMQ")]
public sealed class SpreadTests(SharedBrokers brokers, ITestOutputHelper output)
{
    [Fact]
    public async Task Lanes_spread_evenly_as_workers_join_leave_and_die()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var broker = await brokers.GetAsync(RabbitMqVersion.V4);
        var host = uri.AbsolutePath[1..];
        var started = TimeProvider.System.GetTimestamp();
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        Task<WorkerProcess> StartAsync() => WorkerProcess.StartAsync(
            ("Notify__Transport", "RabbitMq"), ("ConnectionStrings__RabbitMq", $"{uri}"), ("ConnectionStrings__Notify", $"Data Source={folder.FullName}/notify.db"));

        // Lanes of the send stage by the worker's connection, the most first.
        async Task SpreadAsync(string what, params int[] expected)
        {
            var lanes = await Eventually.GetAsync(
                async () =>
                {
                    // A worker that has been displaced is still called active for a while; the queue knows better.
                    var consumers = (await broker.Management.ConsumersAsync(host)).ToDictionary(consumer => consumer.Tag, consumer => consumer.Connection);
                    return (await broker.Management.QueuesAsync(host))
                        .Where(queue => queue.Name.StartsWith("subscription-send-", StringComparison.Ordinal))
                        .GroupBy(queue => consumers.GetValueOrDefault(queue.SingleActiveConsumerTag ?? "") ?? "nobody")
                        .Select(worker => worker.Count()).OrderDescending().ToArray();
                },
                seen => seen.SequenceEqual(expected));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} | {what} | {string.Join(" / ", lanes)} |"));
        }

        var workers = new List<WorkerProcess>();
        try
        {
            workers.Add(await StartAsync());
            await SpreadAsync("one worker", 8);
            workers.Add(await StartAsync());
            await SpreadAsync("a second joins", 4, 4);
            workers.Add(await StartAsync());
            await SpreadAsync("a third joins", 3, 3, 2);
            await workers[2].KillAsync();
            await SpreadAsync("it is killed", 4, 4);
            workers.Add(await StartAsync());
            await SpreadAsync("another takes its place", 3, 3, 2);
            await workers[0].StopAsync();

            // Its lanes go to the others by preference, evenly only when its number is taken again.
            await SpreadAsync("the first leaves", 5, 3);
            workers.Add(await StartAsync());
            await SpreadAsync("another takes its place", 3, 3, 2);
        }
        finally
        {
            foreach (var worker in workers)
            {
                await worker.DisposeAsync();
            }

            folder.Delete(recursive: true);
        }
    }
}
