using System.Collections.Concurrent;
using MassTransit;
using MassTransit.Middleware;
using Microsoft.Extensions.DependencyInjection;
using Notify.IntegrationTests.Brokers;
using Notify.Messaging;
using Notify.Messaging.RabbitMq;
using Notify.Tests;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>A message of one key.</summary>
/// <param name="Key">What must keep its order.</param>
/// <param name="Number">Counts from 0 within the key.</param>
public sealed record Numbered(string Key, int Number);

/// <summary>Lanes beside MassTransit's partitioner: that the order is lost there shows that its loss is noticed here.</summary>
[Collection("RabbitMQ")]
public sealed class DeliveryOrderComparison(SharedBrokers brokers, ITestOutputHelper output)
{
    private const int Keys = 5;
    private const int MessagesPerKey = 2_000;
    private const int Concurrency = 64;

    [Fact]
    public async Task A_lane_keeps_the_order_of_every_key_with_many_in_flight() => Assert.Equal(0, await CountReorderedAsync(isLane: true));

    /// <summary>By hand: it depends on chance how many.</summary>
    [Fact(Explicit = true)]
    public async Task The_partitioner_does_not()
    {
        for (var run = 1; run <= 5; run++)
        {
            output.WriteLine($"| {run} | lane {await CountReorderedAsync(isLane: true)} | UsePartitioner {await CountReorderedAsync(isLane: false)} | of {Keys * MessagesPerKey} |");
        }
    }

    private async Task<int> CountReorderedAsync(bool isLane)
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var came = new ConcurrentDictionary<string, ConcurrentQueue<int>>();

        // Declares the queue; what is then published lies there, so that it comes as fast as it can be handled.
        await RunAsync(uri, isLane, came, () => Task.CompletedTask);
        var publisher = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.Host(uri));
        await publisher.StartAsync(TestContext.Current.CancellationToken);
        await Task.WhenAll(Enumerable.Range(0, Keys).Select(async key =>
        {
            // Of a key each is sent when the one before is confirmed.
            for (var number = 0; number < MessagesPerKey; number++)
            {
                await publisher.Publish(new Numbered($"{(char)('a' + key)}", number), TestContext.Current.CancellationToken);
            }
        }));
        await publisher.StopAsync(CancellationToken.None);
        await RunAsync(uri, isLane, came, () => Eventually.TrueAsync(() => came.Values.Sum(numbers => numbers.Count) == Keys * MessagesPerKey));
        return came.Values.Sum(numbers => numbers.Zip(numbers.Skip(1)).Count(pair => pair.First > pair.Second));
    }

    private static async Task RunAsync(Uri uri, bool isLane, ConcurrentDictionary<string, ConcurrentQueue<int>> came, Func<Task> meanwhile)
    {
        var services = new ServiceCollection().AddSingleton<OneAtATime>().AddSingleton<LaneStop>();
        services.AddLogging();
        services.AddMassTransit(bus => bus.UsingRabbitMq((context, rabbit) =>
        {
            rabbit.Host(uri);
            rabbit.ReceiveEndpoint("numbered", endpoint =>
            {
                if (isLane)
                {
                    endpoint.UseLane<Numbered>(context, message => message.Key, Concurrency);
                }
                else
                {
                    endpoint.UseQuorumQueue();
                    (endpoint.SingleActiveConsumer, endpoint.PrefetchCount, endpoint.ConcurrentMessageLimit) = (true, Concurrency, Concurrency);
                    endpoint.UsePartitioner<Numbered>(new MassTransit.Middleware.Partitioner(Concurrency, new Murmur3UnsafeHashGenerator()), message => new Guid(message.Message.Key[0], 0, 0, new byte[8]));
                }

                endpoint.Handler<Numbered>(message =>
                {
                    came.GetOrAdd(message.Message.Key, _ => new()).Enqueue(message.Message.Number);
                    return Task.CompletedTask;
                });
            });
        }));
        await using var provider = services.BuildServiceProvider();
        var control = provider.GetRequiredService<IBusControl>();
        await control.StartAsync(TestContext.Current.CancellationToken);
        try
        {
            await meanwhile();
        }
        finally
        {
            await control.StopAsync(CancellationToken.None);
        }
    }
}
