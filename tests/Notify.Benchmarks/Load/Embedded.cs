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

/// <summary>
/// The embedded default, in-memory bus and SQLite, beside a bare loop of encryption and POST for the same subscriptions; with <c>--builds</c> other builds of Notify too. A round
/// starts all of them anew and warms them up, and then takes them in turn, again and again.
/// </summary>
internal static class Embedded
{
    /// <summary>The argument that makes this program the bare loop.</summary>
    public const string BareLoop = "bare-loop";

    private const int Users = 5_000;
    private const int PerUser = 2;
    private const int Concurrency = 256;
    private const string FileVariable = "NOTIFY_BARE_LOOP";

    private static readonly string NotifyProgram = Path.Combine(AppContext.BaseDirectory, "Notify.dll");

    public static async Task RunAsync(string[] args)
    {
        var (rounds, takes) = (WholeWay.Number(args, "--rounds", 2), WholeWay.Number(args, "--takes", 8));
        var (pushes, warmUp) = (WholeWay.Number(args, "--pushes", 40_000), WholeWay.Number(args, "--warm-up", 35));
        await using var stage = await LoadStage.StartAsync(Users, PerUser);
        var folder = Directory.CreateTempSubdirectory("notify-embedded-");
        var file = Path.Combine(folder.FullName, "subscriptions.json");
        var (keys, subscriptions) = await stage.ReadSubscriptionsAsync();
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new Pushes(keys.PublicKey, keys.PrivateKey, [.. subscriptions.Select(one => new Target(one.Endpoint.AbsoluteUri, one.P256dh, one.Auth))])));
        List<Case> cases =
        [
            new($"encryption and POST in a bare loop, {Concurrency} at once", Build: null),
            new("Notify, in memory with SQLite", NotifyProgram),
            .. (WholeWay.Text(args, "--builds")?.Split(',') ?? []).Select(build => new Case(build, build)),
        ];
        if (WholeWay.Text(args, "--only") is { } only)
        {
            cases = [.. cases.Where((_, index) => only.Contains($"{index}", StringComparison.Ordinal))];
        }

        for (var round = 1; round <= rounds; round++)
        {
            await MeasureAsync(stage, round, cases, folder.FullName, file, takes, pushes, warmUp);
        }

        Console.WriteLine();
        Console.WriteLine("| | pushes/s | of the first, turn by turn | worker µs |");
        Console.WriteLine("| --- | ---: | ---: | ---: |");
        foreach (var known in cases)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {known.Name} | {WholeWay.Median(known.Rates):N0} | {WholeWay.Median(known.Rates.Zip(cases[0].Rates, (rate, first) => rate / first)):0.00} | {WholeWay.Median(known.Microseconds):N0} |"));
        }

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

    private static Task<WorkerProcess> StartLoopAsync(LoadStage stage, string file) =>
        WorkerProcess.StartAsync(["env", .. stage.Runtime.Select(setting => $"{setting.Name}={setting.Value}"), $"{FileVariable}={file}", "dotnet", typeof(Embedded).Assembly.Location, BareLoop]);

    private static async Task<WorkerProcess> StartAsync(LoadStage stage, string build, string database)
    {
        await using (var store = new SqliteNotifyDbContext(Options(database)))
        {
            await store.Database.MigrateAsync();
            await stage.CopySubscriptionsAsync(store);
        }

        return await stage.StartEmbeddedAsync(build, database);
    }

    private static async Task MeasureAsync(LoadStage stage, int round, IReadOnlyList<Case> cases, string folder, string file, int takes, int pushes, int warmUp)
    {
        var workers = new List<WorkerProcess>();
        try
        {
            foreach (var (index, known) in cases.Index())
            {
                workers.Add(await (known.Build is { } build ? StartAsync(stage, build, Path.Combine(folder, $"{round}-{index}.db")) : StartLoopAsync(stage, file)));
                for (var begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(warmUp);)
                {
                    await PushAsync(stage, workers[^1], known, 10_000);
                }
            }

            for (var take = 1; take <= takes; take++)
            {
                foreach (var (known, worker) in cases.Zip(workers))
                {
                    var (started, before) = (Stopwatch.GetTimestamp(), ProcessTimes.Of(ProcessTimes.TreeOf(worker.Id)));
                    await PushAsync(stage, worker, known, pushes);
                    known.Rates.Add(pushes / Stopwatch.GetElapsedTime(started).TotalSeconds);
                    known.Microseconds.Add((ProcessTimes.Of(ProcessTimes.TreeOf(worker.Id)) - before) * 1e6 / pushes);
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}, {take}, {known.Name}: {known.Rates[^1]:0} pushes a second, {known.Microseconds[^1]:0} µs of the worker's processor time a push"));
                }
            }
        }
        finally
        {
            foreach (var worker in workers)
            {
                await worker.DisposeAsync();
            }
        }
    }

    private static async Task PushAsync(LoadStage stage, WorkerProcess worker, Case known, int count)
    {
        var received = stage.Push.Received();
        await (known.Build is null ? LoopAsync(worker, count) : PostAsync(worker, count));
        await stage.Push.ReceivedAsync(received + count);
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
        options.UseNotifySqlite($"Data Source={database}", busForgets: true);
        return options.Options;
    }

    // Of the bare loop there is no build.
    private sealed record Case(string Name, string? Build)
    {
        public List<double> Rates { get; } = [];

        public List<double> Microseconds { get; } = [];
    }

    private sealed record Pushes(string PublicKey, string PrivateKey, IReadOnlyList<Target> Targets);

    private sealed record Target(string Endpoint, string P256dh, string Auth);
}
