using System.Globalization;
using Notify.IntegrationTests.Databases;

namespace Notify.IntegrationTests.Faults;

/// <summary>What a worker does with very many pushes that it finds queued, and what may be asked of it meanwhile. By hand: the tables and plots of docs/evidence.md.</summary>
[Collection("RabbitMQ")]
public sealed class BacklogTests(SharedDatabases databases, ITestOutputHelper output)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The worker's memory (resident) while it drains what is queued, NOTIFY_TEST_BACKLOG pushes, a million unless that says otherwise. The plot goes to the file that
    /// NOTIFY_TEST_PLOT names.</summary>
    [Fact(Explicit = true)]
    public async Task Memory_while_a_backlog_is_drained()
    {
        var backlog = Number("NOTIFY_TEST_BACKLOG", 1_000_000);
        await using var pushes = await QueuedPushes.StartAsync(databases);
        await pushes.QueueAsync(backlog);

        await using var worker = await pushes.StartWorkerAsync();
        var started = TimeProvider.System.GetTimestamp();
        var samples = new List<(double Seconds, double Memory, double Queued, double Unacknowledged)>();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(2));
        do
        {
            var (queued, unacknowledged) = await pushes.CountAsync();
            samples.Add((TimeProvider.System.GetElapsedTime(started).TotalSeconds, worker.ResidentMegabytes, queued / 1000.0, unacknowledged));
        }
        while (pushes.Received < backlog && await timer.WaitForNextTickAsync(Cancellation));

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{backlog} pushes in {samples[^1].Seconds:0} s; memory of the worker {samples.Skip(samples.Count / 10).Min(sample => sample.Memory):0} to {samples.Max(sample => sample.Memory):0} MB; at most {samples.Max(sample => sample.Unacknowledged):0} with the worker at once"));
        if (Environment.GetEnvironmentVariable("NOTIFY_TEST_PLOT") is { Length: > 0 } file)
        {
            await File.WriteAllTextAsync(
                file,
                Plot.Draw("seconds", new PlotLine("queued pushes, thousands", [.. samples.Select(sample => (sample.Seconds, sample.Queued))]), new PlotLine("memory of the worker, MB", [.. samples.Select(sample => (sample.Seconds, sample.Memory))])),
                Cancellation);
        }
    }

    /// <summary>The send rate with the delivery log, without it, and with ten who look at the dashboard; medians of interleaved rounds (NOTIFY_TEST_ROUNDS, five unless that says otherwise)
    /// of NOTIFY_TEST_BACKLOG pushes each.</summary>
    [Fact(Explicit = true)]
    public async Task Send_rate_with_and_without_the_delivery_log_and_viewers_of_the_dashboard()
    {
        (string Name, (string, string)[] Settings, int Viewers)[] cases =
        [
            ("no delivery log", [("Notify__DeliveryLog__Enabled", "false")], 0),
            ("delivery log", [], 0),
            ("delivery log, ten look at the dashboard", [], 10),
        ];
        var (count, rounds) = (Number("NOTIFY_TEST_BACKLOG", 30_000), Number("NOTIFY_TEST_ROUNDS", 5));
        var rates = cases.ToDictionary(known => known.Name, _ => new List<double>());
        await using var pushes = await QueuedPushes.StartAsync(databases);
        for (var round = 1; round <= rounds; round++)
        {
            foreach (var (name, settings, viewers) in cases)
            {
                rates[name].Add(await RateAsync(pushes, count, settings, viewers));
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}, {name}: {rates[name][^1]:0} pushes a second"));
            }
        }

        static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
        foreach (var (name, values) in rates)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {Median(values):0} | {Median(values) / Median(rates[cases[0].Name]):0.00} |"));
        }
    }

    // Without the first fifth, in which the process compiles itself.
    private static async Task<double> RateAsync(QueuedPushes pushes, int count, (string, string)[] settings, int viewers)
    {
        var (before, skipped) = (pushes.Received, count / 5);
        await pushes.QueueAsync(count);
        await using var worker = await pushes.StartWorkerAsync(settings);
        using var http = new HttpClient { BaseAddress = worker.Url };
        http.DefaultRequestHeaders.Add("X-Notify-User", "operator");
        using var watching = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var viewing = Enumerable.Range(0, viewers).Select(_ => WatchAsync(http, watching.Token)).ToList();
        await pushes.ReceivedAsync(before + skipped);
        var started = TimeProvider.System.GetTimestamp();
        await pushes.ReceivedAsync(before + count);
        var rate = (count - skipped) / TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        await watching.CancelAsync();
        await Task.WhenAll(viewing);
        await worker.StopAsync();
        return rate;
    }

    private static async Task WatchAsync(HttpClient http, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = await http.GetStreamAsync("api/dashboard/live", cancellationToken);
            await stream.CopyToAsync(Stream.Null, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // They have seen enough.
        }
    }

    private static int Number(string variable, int otherwise) => int.Parse(Environment.GetEnvironmentVariable(variable) ?? $"{otherwise}", CultureInfo.InvariantCulture);
}
