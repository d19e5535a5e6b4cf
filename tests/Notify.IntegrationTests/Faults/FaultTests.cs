using System.Globalization;
using Notify.IntegrationTests.Brokers;
using Notify.IntegrationTests.Databases;
using Notify.IntegrationTests.RabbitMq;
using Notify.LocalPushService;
using Notify.Store;
using Notify.Tests.Store;

namespace Notify.IntegrationTests.Faults;

/// <summary>What the promises of README are held to: workers on RabbitMQ and PostgreSQL, and one thing that goes wrong at a random moment.</summary>
[Collection("RabbitMQ")]
public sealed class FaultTests(SharedBrokers brokers, SharedDatabases databases, ITestOutputHelper output)
{
    private const int Workers = 2;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Fault.WorkerKilledDuringFanout)]
    [InlineData(Fault.WorkerKilledDuringPost)]
    [InlineData(Fault.WorkerKilledAsAPushArrives)]
    [InlineData(Fault.WorkerStopped)]
    [InlineData(Fault.BrokerKilled)]
    [InlineData(Fault.DatabaseKilled)]
    public async Task Every_push_arrives_in_order_whatever_goes_wrong(Fault fault) => Check(fault, await RunAsync(fault, subscriptions: 50, events: 20));

    /// <summary>The table of docs/evidence.md, by hand: twenty runs of each fault (NOTIFY_TEST_FAULT_RUNS), or of the one that NOTIFY_TEST_FAULT names.</summary>
    [Theory(Explicit = true)]
    [InlineData(Fault.WorkerKilledDuringFanout)]
    [InlineData(Fault.WorkerKilledDuringPost)]
    [InlineData(Fault.WorkerKilledAsAPushArrives)]
    [InlineData(Fault.WorkerStopped)]
    [InlineData(Fault.BrokerKilled)]
    [InlineData(Fault.DatabaseKilled)]
    public async Task A_soak_of_many_faults(Fault fault)
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("NOTIFY_TEST_FAULT") is not { Length: > 0 } only || only == $"{fault}", "Another fault is asked for.");
        var runs = new List<OrderRun>();
        for (var i = int.Parse(Environment.GetEnvironmentVariable("NOTIFY_TEST_FAULT_RUNS") ?? "20", CultureInfo.InvariantCulture); i > 0; i--)
        {
            runs.Add(await RunAsync(fault, subscriptions: 100, events: 20));
            Check(fault, runs[^1]);
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {fault} | {runs.Count} | {runs.Sum(run => run.Pushes)} | {runs.Sum(run => run.Lost)} | {runs.Sum(run => run.Duplicates)} (at most {runs.Max(run => run.Duplicates)} in a run) | {runs.Sum(run => run.Reordered)} | {runs.Average(run => run.Recovery!.Value.TotalSeconds):0.0} (at most {runs.Max(run => run.Recovery!.Value.TotalSeconds):0.0}) |"));
    }

    private void Check(Fault fault, OrderRun run)
    {
        output.WriteLine($"{fault}: {run}");
        Assert.Equal((0, 0, 0), (run.Lost, run.Reordered, run.Strangers));
        if (fault == Fault.WorkerStopped)
        {
            Assert.Equal(0, run.Duplicates);
        }
    }

    private async Task<OrderRun> RunAsync(Fault fault, int subscriptions, int events)
    {
        await using var ownBroker = fault == Fault.BrokerKilled ? await RabbitMqBroker.StartAsync(RabbitMqVersion.V4, Cancellation) : null;
        await using var ownDatabase = fault == Fault.DatabaseKilled ? await PostgreSqlServer.StartAsync(Cancellation) : null;
        var broker = ownBroker?.AmqpUri ?? await brokers.NewVirtualHostAsync(RabbitMqVersion.V4);
        var database = ownDatabase is null ? await databases.NewPostgreSqlAsync() : new TestDatabase(StoreKind.PostgreSql, await ownDatabase.NewDatabaseAsync());
        return await OrderRun.RunAsync($"{broker}", Workers, lanes: 4, subscriptions, events, TimeSpan.FromMinutes(5), run => DisturbAsync(fault, run, ownBroker, ownDatabase), database);
    }

    private static async Task DisturbAsync(Fault fault, OrderRunUnderWay run, RabbitMqBroker? broker, PostgreSqlServer? database)
    {
        switch (fault)
        {
            case Fault.WorkerKilledDuringFanout:
                // The first have just arrived, and most are still being fanned out.
                await run.ArrivedAsync(Random.Shared.NextDouble() * 0.05);
                await ReplaceAsync(run, worker => worker.KillAsync());
                break;
            case Fault.WorkerKilledDuringPost:
                // There is always one under way.
                run.Push.Faults.Add(new PushFault { Delay = TimeSpan.FromMilliseconds(100), Probability = 0.5, Times = int.MaxValue });
                await OrderRun.KillOneAsync(run);
                break;
            case Fault.WorkerKilledAsAPushArrives:
                await OrderRun.KillOneAsync(run);
                break;
            case Fault.WorkerStopped:
                await OrderRun.StopOneAsync(run);
                break;
            case Fault.BrokerKilled:
                await run.ArrivedAsync(Random.Shared.NextDouble() * 0.7);
                run.DisturbedAt = TimeProvider.System.GetTimestamp();
                await broker!.KillAsync();
                await broker.StartAgainAsync(Cancellation);
                break;
            case Fault.DatabaseKilled:
                await run.ArrivedAsync(Random.Shared.NextDouble() * 0.7);
                run.DisturbedAt = TimeProvider.System.GetTimestamp();
                await database!.KillAsync();

                // Longer than any retry that gives up would last.
                await Task.Delay(TimeSpan.FromSeconds(15), TimeProvider.System, Cancellation);
                await database.StartAgainAsync(Cancellation);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(fault), fault, null);
        }
    }

    private static async Task ReplaceAsync(OrderRunUnderWay run, Func<WorkerProcess, Task> end)
    {
        run.DisturbedAt = TimeProvider.System.GetTimestamp();
        await end(run.Workers[Random.Shared.Next(run.Workers.Count)]);
        run.Workers.Add(await run.StartWorkerAsync());
    }
}

/// <summary>What goes wrong.</summary>
public enum Fault
{
    /// <summary>kill -9 while most messages are being fanned out.</summary>
    WorkerKilledDuringFanout,

    /// <summary>kill -9 while POSTs are under way.</summary>
    WorkerKilledDuringPost,

    /// <summary>kill -9 as the push service has answered 2xx and the command is not yet acknowledged.</summary>
    WorkerKilledAsAPushArrives,

    /// <summary>SIGTERM.</summary>
    WorkerStopped,

    /// <summary>kill -9 of RabbitMQ, and a restart.</summary>
    BrokerKilled,

    /// <summary>kill -9 of PostgreSQL, fifteen seconds, and a restart.</summary>
    DatabaseKilled,
}
