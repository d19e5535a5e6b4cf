using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Notify.Contracts;
using Notify.IntegrationTests.RabbitMq;
using Notify.Messaging.Outbox;
using Notify.Messaging.RabbitMq;
using Notify.Tests;
using Notify.Tests.Store;

namespace Notify.IntegrationTests.Databases;

/// <summary>
/// One run in which workers that register, move and remove subscriptions are killed with -9 over and over, at random moments. In the end what the store has is held against what was told on the bus.
/// </summary>
/// <param name="Kills">Workers killed.</param>
/// <param name="Changes">Changes that were answered.</param>
/// <param name="Rows">Subscriptions left in the store.</param>
/// <param name="Events">Events that came, those that came again counted again.</param>
/// <param name="Repeated">Events that came again.</param>
/// <param name="RowsWithoutEvent">Subscriptions whose registration nobody was told of, or whose owner is another than the last event says.</param>
/// <param name="EventsWithoutRow">Registrations told of whose subscription is not in the store, and of whose removal nobody was told.</param>
public sealed record CrashRun(int Kills, int Changes, int Rows, int Events, int Repeated, int RowsWithoutEvent, int EventsWithoutRow)
{
    private const int Clients = 8;

    /// <summary>Runs it.</summary>
    /// <param name="broker">The broker.</param>
    /// <param name="database">An empty database.</param>
    /// <param name="workers">Workers at any time.</param>
    /// <param name="kills">How many are killed.</param>
    public static async Task<CrashRun> RunAsync(Uri broker, TestDatabase database, int workers, int kills)
    {
        var cancellation = TestContext.Current.CancellationToken;
        (string, string)[] settings =
        [
            ("Notify__Transport", "RabbitMq"), ("ConnectionStrings__RabbitMq", $"{broker}"), ("Notify__Sending__Partitions", "1"), ("Notify__Fanout__Partitions", "1"),
            ("Notify__Store", $"{database.Kind}"), ("ConnectionStrings__Notify", database.ConnectionString),
        ];
        var events = new ConcurrentQueue<(Guid MessageId, Guid Id, string UserId, bool IsRegistered)>();
        var listener = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            RabbitMqAddress.Parse($"{broker}").Configure(rabbit);
            rabbit.ReceiveEndpoint("test-events", endpoint =>
            {
                endpoint.ConcurrentMessageLimit = 1;
                endpoint.Handler<SubscriptionRegistered>(context => Note(context, context.Message.SubscriptionId, context.Message.UserId, true));
                endpoint.Handler<SubscriptionRemoved>(context => Note(context, context.Message.SubscriptionId, context.Message.UserId, false));
            });
        });
        await listener.StartAsync(cancellation);
        try
        {
            // The first makes the database and the keys.
            await using var first = await WorkerProcess.StartAsync(settings);
            var changes = 0;
            var left = kills;
            await Task.WhenAll(Enumerable.Range(0, workers).Select(async _ =>
            {
                while (Interlocked.Decrement(ref left) >= 0)
                {
                    await using var worker = await WorkerProcess.StartAsync(settings);
                    using var life = new CancellationTokenSource();

                    // It dies once so many are answered, while others are at any point of their way.
                    var toAnswer = Random.Shared.Next(1, 60);
                    var isTime = new TaskCompletionSource();
                    var changing = Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => ChangeAsync(worker.Url, Answered, life.Token)));
                    await Task.WhenAny(isTime.Task, changing).WaitAsync(cancellation);
                    await worker.KillAsync();
                    await life.CancelAsync();
                    await changing;

                    void Answered()
                    {
                        Interlocked.Increment(ref changes);
                        if (Interlocked.Decrement(ref toAnswer) == 0)
                        {
                            isTime.SetResult();
                        }
                    }
                }
            }));

            // One that lives on delivers what was left.
            await using var store = TestStore.Of(database);
            await using var db = store.Open();
            await Eventually.GetAsync(() => db.Set<OutboxMessage>().CountAsync(cancellation), count => count == 0);
            var last = Guid.NewGuid();
            await listener.Publish(new SubscriptionRegistered(last, "last"), cancellation);
            await Eventually.TrueAsync(() => events.Any(happened => happened.Id == last));

            var rows = await db.Subscriptions.AsNoTracking().ToDictionaryAsync(row => row.Id, row => row.UserId, cancellation);
            var told = new Dictionary<Guid, string?>();
            foreach (var (_, id, userId, isRegistered) in events.Where(happened => happened.Id != last).DistinctBy(happened => happened.MessageId))
            {
                told[id] = isRegistered ? userId : null;
            }

            return new CrashRun(
                kills, changes, rows.Count, events.Count - 1, events.Count - events.DistinctBy(happened => happened.MessageId).Count(),
                rows.Count(row => told.GetValueOrDefault(row.Key) != row.Value),
                told.Count(subscription => subscription.Value is not null && !rows.ContainsKey(subscription.Key)));
        }
        finally
        {
            await listener.StopAsync(CancellationToken.None);
        }

        Task Note<T>(ConsumeContext<T> context, Guid id, string userId, bool isRegistered)
            where T : class
        {
            events.Enqueue((context.MessageId!.Value, id, userId, isRegistered));
            return Task.CompletedTask;
        }
    }

    // Until the worker dies.
    private static async Task ChangeAsync(Uri worker, Action changed, CancellationToken cancellationToken)
    {
        var endpoints = new List<string>();
        using var http = new HttpClient { BaseAddress = worker };
        try
        {
            while (true)
            {
                var known = endpoints.Count > 0 && Random.Shared.Next(3) == 0 ? endpoints[Random.Shared.Next(endpoints.Count)] : null;
                using var request = known is not null && Random.Shared.Next(2) == 0
                    ? new HttpRequestMessage(HttpMethod.Delete, $"api/subscriptions?endpoint={Uri.EscapeDataString(known)}")
                    : new HttpRequestMessage(HttpMethod.Post, "api/subscriptions") { Content = JsonContent.Create(SubscriptionOf(known)) };
                request.Headers.Add("X-Notify-User", $"user-{Random.Shared.Next(1_000)}");
                using var response = await http.SendAsync(request, cancellationToken);
                Assert.True(response.IsSuccessStatusCode || response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.UnprocessableEntity, $"{request.Method}: {response.StatusCode}");
                if (request.Method == HttpMethod.Post && known is null)
                {
                    endpoints.Add((await request.Content!.ReadFromJsonAsync<JsonElement>(cancellationToken)).GetProperty("endpoint").GetString()!);
                }

                changed();
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException or IOException)
        {
            // It was killed.
        }
    }

    private static object SubscriptionOf(string? endpoint)
    {
        var subscription = TestStore.NewPushSubscription(endpoint);
        return new { endpoint = subscription.Endpoint.AbsoluteUri, keys = new { p256dh = subscription.P256dh, auth = subscription.Auth } };
    }
}
