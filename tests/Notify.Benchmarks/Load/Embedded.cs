using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Notify.IntegrationTests.RabbitMq;
using Notify.Store;
using Notify.WebPush;

namespace Notify.Benchmarks.Load;

/// <summary>The embedded default, in-memory bus and SQLite, beside a bare loop of encryption and POST for the same subscriptions, in interleaved rounds.</summary>
internal static class Embedded
{
    /// <summary>The argument that makes this program the bare loop.</summary>
    public const string BareLoop = "bare-loop";

    private const int Users = 5_000;
    private const int PerUser = 2;
    private const int Concurrency = 256;
    private const string FileVariable = "NOTIFY_BARE_LOOP";

    public static async Task RunAsync(string[] args)
    {
        var (rounds, pushes, warmUp) = (WholeWay.Number(args, "--rounds", 3), WholeWay.Number(args, "--pushes", 40_000), WholeWay.Number(args, "--warm-up", 30));
        await using var stage = await LoadStage.StartAsync(Users, PerUser);
        var folder = Directory.CreateTempSubdirectory("notify-embedded-");
        var file = Path.Combine(folder.FullName, "subscriptions.json");
        var (keys, subscriptions) = await stage.ReadSubscriptionsAsync();
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new Pushes(keys.PublicKey, keys.PrivateKey, [.. subscriptions.Select(one => new Target(one.Endpoint.AbsoluteUri, one.P256dh, one.Auth))])));
        List<double> loop = [], service = [];
        for (var round = 1; round <= rounds; round++)
        {
            await using (var bare = await WorkerProcess.StartAsync(["env", .. stage.Runtime.Select(setting => $"{setting.Name}={setting.Value}"), $"{FileVariable}={file}", "dotnet", typeof(Embedded).Assembly.Location, BareLoop]))
            {
                loop.Add(await MeasureAsync(stage, count => LoopAsync(bare, count), pushes, warmUp));
            }

            var database = Path.Combine(folder.FullName, $"{round}.db");
            await using (var store = new SqliteNotifyDbContext(Options(database)))
            {
                await store.Database.MigrateAsync();
                await stage.CopySubscriptionsAsync(store);
            }

            await using (var worker = await WorkerProcess.StartAsync([.. stage.PushSettings, ("Notify__Transport", "InMemory"), ("Notify__Store", "Sqlite"), ("ConnectionStrings__Notify", $"Data Source={database}")]))
            {
                service.Add(await MeasureAsync(stage, count => PostAsync(worker, count), pushes, warmUp));
            }

            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}: bare loop {loop[^1]:N0}, Notify {service[^1]:N0} pushes a second"));
        }

        Console.WriteLine();
        Console.WriteLine("| | pushes/s | |");
        Console.WriteLine("| --- | ---: | ---: |");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| encryption and POST in a bare loop, {Concurrency} at once | {WholeWay.Median(loop):N0} | 1.00 |"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| Notify, in memory with SQLite | {WholeWay.Median(service):N0} | {WholeWay.Median(service) / WholeWay.Median(loop):0.00} |"));
        folder.Delete(recursive: true);
    }

    /// <summary>The bare loop: makes as many pushes as it is asked for, by the client that the service has.</summary>
    public static async Task RunLoopAsync()
    {
        var known = JsonSerializer.Deserialize<Pushes>(await File.ReadAllTextAsync(Environment.GetEnvironmentVariable(FileVariable)!))!;
        using var keys = VapidKeyPair.Import(known.PublicKey, known.PrivateKey);
        var subscriptions = known.Targets.Select(one => PushSubscription.Create(one.Endpoint, one.P256dh, one.Auth)).ToList();
        using var http = new HttpClient(PushServiceClient.CreateHandler());
        var client = new PushServiceClient(http, new VapidTokens("mailto:load@example.com", TimeProvider.System), TimeProvider.System);
        var payload = new byte[400];
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        await using var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapPost("/{count:int}", (int count) => Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = Concurrency }, async (index, token) =>
        {
            var message = new PushMessage(payload) { TimeToLive = TimeSpan.FromDays(1), Topic = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
            await client.SendAsync(subscriptions[index % subscriptions.Count], message, keys, token);
        }));
        await app.StartAsync();
        Console.WriteLine($"Notify is ready: open {NotifyApplication.AddressOf(app)}");
        await app.WaitForShutdownAsync();
    }

    private static async Task<double> MeasureAsync(LoadStage stage, Func<int, Task> push, int pushes, int warmUp)
    {
        var begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(warmUp))
        {
            await PushAsync(10_000);
        }

        var started = Stopwatch.GetTimestamp();
        await PushAsync(pushes);
        return pushes / Stopwatch.GetElapsedTime(started).TotalSeconds;

        async Task PushAsync(int count)
        {
            var received = stage.Push.Received();
            await push(count);
            await stage.Push.ReceivedAsync(received + count);
        }
    }

    private static async Task LoopAsync(WorkerProcess bare, int count)
    {
        using var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        using var answer = await http.PostAsync(new Uri(bare.Url, $"{count}"), null);
        answer.EnsureSuccessStatusCode();
    }

    private static async Task PostAsync(WorkerProcess worker, int pushes)
    {
        using var http = new HttpClient { BaseAddress = worker.Url };
        http.DefaultRequestHeaders.Add("X-Notify-User", "publisher");
        await Parallel.ForEachAsync(Enumerable.Range(0, pushes / PerUser / Measurement.Recipients), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (index, token) =>
        {
            var posted = LoadStage.NewEvent([.. Enumerable.Range(index * Measurement.Recipients, Measurement.Recipients).Select(user => LoadStage.UserOf(user % Users))]);
            using var answer = await http.PostAsJsonAsync("api/messages", posted, token);
            answer.EnsureSuccessStatusCode();
        });
    }

    private static DbContextOptions<SqliteNotifyDbContext> Options(string database)
    {
        var options = new DbContextOptionsBuilder<SqliteNotifyDbContext>();
        options.UseNotifySqlite($"Data Source={database}");
        return options.Options;
    }

    private sealed record Pushes(string PublicKey, string PrivateKey, IReadOnlyList<Target> Targets);

    private sealed record Target(string Endpoint, string P256dh, string Auth);
}
