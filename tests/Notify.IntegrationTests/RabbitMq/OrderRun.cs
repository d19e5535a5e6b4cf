using System.Net.Http.Json;
using System.Text.Json;
using MassTransit;
using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Messaging.RabbitMq;
using Notify.Store;
using Notify.Tests;
using Notify.Tests.Store;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>
/// One run of many workers on one broker: subscribes, publishes to all, lets some POSTs fail, perhaps kills a worker meanwhile, and tells what each subscription got.
/// </summary>
/// <param name="Lost">Pushes that never came.</param>
/// <param name="Reordered">Subscriptions of which some conversation's pushes came first in another order than they were published in.</param>
/// <param name="Duplicates">Pushes that came more than once, each with the topic and tag of the first: the device shows one.</param>
/// <param name="Strangers">Of pushes that came more than once, those that differ from the first: the device would show both.</param>
/// <param name="Pushes">Pushes in all.</param>
/// <param name="Took">From the first publication to the last arrival.</param>
/// <param name="Recovery">From the disturbance until every subscription that still missed something had got its next push; null if nothing was disturbed.</param>
public sealed record OrderRun(int Lost, int Reordered, int Duplicates, int Strangers, int Pushes, TimeSpan Took, TimeSpan? Recovery)
{
    private const int Conversations = 5;

    /// <summary>Runs it.</summary>
    /// <param name="broker">The broker, or several nodes with commas.</param>
    /// <param name="workers">Worker processes.</param>
    /// <param name="lanes">Lanes of the send stage.</param>
    /// <param name="subscriptions">One in five shares its user with four others.</param>
    /// <param name="events">Published in turn to five conversations, each to everybody.</param>
    /// <param name="patience">How long to wait for the last.</param>
    /// <param name="meanwhile">What happens while it runs.</param>
    /// <param name="database">The store; a SQLite file if null.</param>
    public static async Task<OrderRun> RunAsync(
        string broker, int workers, int lanes, int subscriptions, int events, TimeSpan patience, Func<OrderRunUnderWay, Task> meanwhile, TestDatabase? database = null)
    {
        var cancellation = TestContext.Current.CancellationToken;
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        var running = new List<WorkerProcess>();
        var isGood = false;
        await using var push = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, cancellation);
        await using var agent = await LocalUserAgent.ConnectAsync(push.Url, cancellation);
        try
        {
            Task<WorkerProcess> StartWorkerAsync() => WorkerProcess.StartAsync(
                ("Notify__Transport", "RabbitMq"),
                ("ConnectionStrings__RabbitMq", broker),
                ("Notify__Store", $"{database?.Kind ?? StoreKind.Sqlite}"),
                ("ConnectionStrings__Notify", database?.ConnectionString ?? $"Data Source={Path.Combine(folder.FullName, "notify.db")}"),
                ("Notify__LocalPushService__Url", push.Url.GetLeftPart(UriPartial.Authority)),
                ("Notify__Sending__Partitions", $"{lanes}"),
                ("Notify__Sending__MaxAttempts", "100"));

            // The first makes the database and the keys.
            running.Add(await StartWorkerAsync());
            var names = await SubscribeAsync(running[0].Url, agent, subscriptions);
            running.AddRange(await Task.WhenAll(Enumerable.Range(1, workers - 1).Select(_ => StartWorkerAsync())));
            push.Faults.Add(new PushFault { Status = 503, Probability = 0.05, Times = int.MaxValue });

            var received = names.Keys.ToDictionary(subscription => subscription, _ => new List<(int Number, ReceivedPush Push, long At)>());
            var started = TimeProvider.System.GetTimestamp();
            var missing = subscriptions * events;
            var run = new OrderRunUnderWay(running, StartWorkerAsync, push, () => 1 - (Volatile.Read(ref missing) / (double)(subscriptions * events)));
            var publishing = PublishAsync(broker, [.. names.Values.Distinct()], events);
            var disturbing = meanwhile(run);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(patience);
            try
            {
                while (missing > 0)
                {
                    var next = await agent.Received.ReadAsync(limit.Token);
                    var number = int.Parse(JsonDocument.Parse(next.Content).RootElement.GetProperty("notification").GetProperty("title").GetString()!, System.Globalization.CultureInfo.InvariantCulture);
                    Volatile.Write(ref missing, missing - (received[next.Subscription].Exists(known => known.Number == number) ? 0 : 1));
                    received[next.Subscription].Add((number, next, TimeProvider.System.GetTimestamp()));
                }
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                // What is missing now is lost.
            }

            var took = TimeProvider.System.GetElapsedTime(started);
            await publishing;
            await disturbing;
            var again = received.Values.SelectMany(pushes => pushes.GroupBy(push => push.Number).Where(copies => copies.Count() > 1)).ToList();
            var outOfOrder = received.Values.Where(pushes => IsOutOfOrder(pushes.ConvertAll(push => push.Number))).ToList();
            if (outOfOrder.Count > 0 && run.DisturbedAt is { } at)
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"disturbed after {TimeProvider.System.GetElapsedTime(started, at).TotalMilliseconds:0} milliseconds");
            }

            outOfOrder.ForEach(pushes => TestContext.Current.TestOutputHelper?.WriteLine(
                $"out of order, after so many milliseconds: {string.Join(' ', pushes.Select(push => $"{push.Number}@{TimeProvider.System.GetElapsedTime(started, push.At).TotalMilliseconds:0}"))}"));
            isGood = missing == 0 && outOfOrder.Count == 0;
            return new OrderRun(
                missing,
                outOfOrder.Count,
                again.Sum(copies => copies.Count() - 1),
                again.Sum(copies => copies.Count(copy => copy.Push.Topic is null || copy.Push.Topic != copies.First().Push.Topic || !copy.Push.Content.SequenceEqual(copies.First().Push.Content))),
                subscriptions * events,
                took,
                run.DisturbedAt is { } disturbed ? received.Values.Select(pushes => pushes.Find(push => push.At > disturbed).At).Where(at => at > 0).Select(at => TimeProvider.System.GetElapsedTime(disturbed, at)).Append(TimeSpan.Zero).Max() : null);
        }
        finally
        {
            foreach (var worker in running)
            {
                if (!isGood)
                {
                    TestContext.Current.TestOutputHelper?.WriteLine($"worker {running.IndexOf(worker)} wrote last:\n{string.Join('\n', worker.Lines.TakeLast(50))}");
                }

                await worker.DisposeAsync();
            }

            folder.Delete(recursive: true);
        }
    }

    /// <summary>Lets it be.</summary>
    public static Task NothingAsync(OrderRunUnderWay run) => Task.CompletedTask;

    /// <summary>Kills a worker at a random moment, and starts another in its place.</summary>
    public static Task KillOneAsync(OrderRunUnderWay run) => ReplaceOneAsync(run, worker => worker.KillAsync());

    /// <summary>Stops a worker in order (SIGTERM) at a random moment, and starts another in its place.</summary>
    public static Task StopOneAsync(OrderRunUnderWay run) => ReplaceOneAsync(run, worker => worker.StopAsync());

    private static async Task ReplaceOneAsync(OrderRunUnderWay run, Func<WorkerProcess, Task> end)
    {
        var (victim, share) = (run.Workers[Random.Shared.Next(run.Workers.Count)], Random.Shared.NextDouble() * 0.7);
        await run.ArrivedAsync(share);
        run.DisturbedAt = TimeProvider.System.GetTimestamp();
        await end(victim);
        run.Workers.Add(await run.StartWorkerAsync());
    }

    private static async Task<Dictionary<LocalSubscription, string>> SubscribeAsync(Uri worker, LocalUserAgent agent, int subscriptions)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var http = new HttpClient { BaseAddress = worker };
        var key = (await http.GetFromJsonAsync<JsonElement>("api/vapid-public-key", cancellation)).GetProperty("publicKey").GetString();
        var users = new Dictionary<LocalSubscription, string>();
        for (var i = 0; i < subscriptions; i++)
        {
            var subscription = await agent.SubscribeAsync(key, cancellation);
            using var request = new HttpRequestMessage(HttpMethod.Post, "api/subscriptions") { Content = new StringContent(subscription.ToJson(), System.Text.Encoding.UTF8, "application/json") };
            request.Headers.Add("X-Notify-User", $"user-{i / 5}");
            (await http.SendAsync(request, cancellation)).EnsureSuccessStatusCode().Dispose();
            users.Add(subscription, $"user-{i / 5}");
        }

        return users;
    }

    // Each after the broker has confirmed the one before: that is the order that counts.
    private static async Task PublishAsync(string broker, IReadOnlyList<string> users, int events)
    {
        var bus = Bus.Factory.CreateUsingRabbitMq(RabbitMqAddress.Parse(broker).Configure);
        await bus.StartAsync(TestContext.Current.CancellationToken);
        for (var i = 0; i < events; i++)
        {
            var message = new MessagePosted { MessageId = Guid.CreateVersion7(), ConversationId = $"room-{i % Conversations}", RecipientIds = users, Title = $"{i}" };
            await PublishAsync(bus, message);
        }

        await bus.StopAsync(TestContext.Current.CancellationToken);
    }

    // Until the broker has confirmed it, as a publisher must; the same message twice is fanned out once.
    private static async Task PublishAsync(IBusControl bus, MessagePosted message)
    {
        while (true)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            patience.CancelAfter(TimeSpan.FromSeconds(20));
            try
            {
                await bus.Publish(message, context => context.Mandatory = true, patience.Token);
                return;
            }
            catch (Exception exception) when (exception is MassTransitException or OperationCanceledException && !TestContext.Current.CancellationToken.IsCancellationRequested)
            {
            }
        }
    }

    private static bool IsOutOfOrder(List<int> numbers) => numbers.Distinct().GroupBy(number => number % Conversations).Any(conversation => !conversation.SequenceEqual(conversation.Order()));
}

/// <summary>A run that is under way.</summary>
/// <param name="Workers">The workers, to which those that are started go.</param>
/// <param name="StartWorkerAsync">Starts another worker.</param>
/// <param name="Push">The push service.</param>
/// <param name="ShareArrived">The share of the pushes that have arrived, 0 to 1.</param>
public sealed record OrderRunUnderWay(List<WorkerProcess> Workers, Func<Task<WorkerProcess>> StartWorkerAsync, LocalPushServer Push, Func<double> ShareArrived)
{
    /// <summary>A timestamp of when it was disturbed.</summary>
    public long? DisturbedAt { get; set; }

    /// <summary>Waits until this share of the pushes has arrived.</summary>
    public Task ArrivedAsync(double share) => Eventually.GetAsync(() => Task.FromResult(ShareArrived()), arrived => arrived >= share, TimeSpan.FromMinutes(5));
}
