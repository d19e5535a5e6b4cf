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
/// <param name="Filler">Makes it large.</param>
public sealed record Numbered(string Key, int Number, string Filler = "");

/// <summary>A lane keeps the order, also when its connection is lost; and, by hand, MassTransit's partitioner beside it.</summary>
[Collection("RabbitMQ")]
public sealed class LaneOrderTests(SharedBrokers brokers, ITestOutputHelper output)
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

    /// <summary>Else it would overtake what was cancelled half-way before it, which the broker delivers again.</summary>
    [Fact]
    public async Task What_a_lost_connection_delivered_is_begun_no_more()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var management = (await brokers.GetAsync(RabbitMqVersion.V4)).Management;
        var begun = new ConcurrentQueue<int>();
        await PublishAsync(uri, keys: 1, messagesPerKey: 20);
        await RunAsync(uri, isLane: true, HandleAsync, () => Eventually.TrueAsync(() => begun.Contains(19)));

        Assert.Equal([0, .. Enumerable.Range(0, 20)], begun);

        async Task HandleAsync(ConsumeContext<Numbered> message)
        {
            begun.Enqueue(message.Message.Number);
            if (begun.Count == 1)
            {
                // The others have come, and wait for this one.
                await Eventually.GetAsync(() => management.QueuesAsync(uri.AbsolutePath[1..]), queues => queues.Any(queue => queue is { Name: "numbered", MessagesUnacknowledged: 20 }));
                await Eventually.GetAsync(() => management.CloseConnectionsAsync(uri.AbsolutePath[1..]), closed => closed > 0);
                await Task.Delay(Timeout.Infinite, message.CancellationToken);
            }
        }
    }

    [Fact]
    public async Task Of_large_messages_a_few_are_read_at_once_and_all_come_in_their_order()
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var management = (await brokers.GetAsync(RabbitMqVersion.V4)).Management;
        var came = new ConcurrentQueue<Numbered>();
        var (underWay, most) = (0, 0);
        await PublishAsync(uri, keys: 10, messagesPerKey: 2, new string('x', LargeMessages.LargeBody));
        await RunAsync(uri, isLane: true, HandleAsync, () => Eventually.TrueAsync(() => came.Count == 20));

        Assert.Equal(LargeMessages.MostAtOnce, most);
        Assert.All(came.GroupBy(message => message.Key), ofKey => Assert.Equal([0, 1], ofKey.Select(message => message.Number)));

        async Task HandleAsync(ConsumeContext<Numbered> message)
        {
            lock (came)
            {
                most = Math.Max(most, ++underWay);
            }

            // The first are here until all have come.
            await Eventually.GetAsync(() => management.QueuesAsync(uri.AbsolutePath[1..]), queues => !came.IsEmpty || queues.Any(queue => queue is { Name: "numbered", MessagesUnacknowledged: 20 }));
            lock (came)
            {
                underWay--;
                came.Enqueue(message.Message);
            }
        }
    }

    [Theory]
    [InlineData(0, new[] { 0, 1, 2 })]
    [InlineData(1, new[] { 0, 2, 1 })]
    [InlineData(2, new[] { 2, 1, 0 })]
    public void A_lost_order_is_noticed(int reordered, int[] numbers) => Assert.Equal(reordered, CountReordered(numbers));

    private static int CountReordered(IReadOnlyCollection<int> numbers) => numbers.Zip(numbers.Skip(1)).Count(pair => pair.First > pair.Second);

    private async Task<int> CountReorderedAsync(bool isLane)
    {
        var uri = await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var came = new ConcurrentDictionary<string, ConcurrentQueue<int>>();

        await PublishAsync(uri, Keys, MessagesPerKey);
        await RunAsync(uri, isLane, HandleAsync, () => Eventually.TrueAsync(() => came.Values.Sum(numbers => numbers.Count) == Keys * MessagesPerKey));
        return came.Values.Sum(numbers => CountReordered(numbers));

        Task HandleAsync(ConsumeContext<Numbered> message)
        {
            came.GetOrAdd(message.Message.Key, _ => new()).Enqueue(message.Message.Number);
            return Task.CompletedTask;
        }
    }

    // Into a queue that nobody consumes from, so that it comes as fast as it can be handled.
    private static async Task PublishAsync(Uri uri, int keys, int messagesPerKey, string filler = "")
    {
        await RunAsync(uri, isLane: true, _ => Task.CompletedTask, () => Task.CompletedTask);
        var publisher = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.Host(uri));
        await publisher.StartAsync(TestContext.Current.CancellationToken);
        await Task.WhenAll(Enumerable.Range(0, keys).Select(async key =>
        {
            // Of a key each is sent when the one before is confirmed.
            for (var number = 0; number < messagesPerKey; number++)
            {
                await publisher.Publish(new Numbered($"{(char)('a' + key)}", number, filler), TestContext.Current.CancellationToken);
            }
        }));
        await publisher.StopAsync(CancellationToken.None);
    }

    private static async Task RunAsync(Uri uri, bool isLane, MessageHandler<Numbered> handle, Func<Task> meanwhile)
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

                endpoint.Handler(handle);
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
