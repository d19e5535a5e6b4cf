using System.Diagnostics;
using System.Globalization;
using Notify.Contracts;
using Notify.IntegrationTests.Faults;
using Notify.WebPush;

namespace Notify.Benchmarks.Load;

/// <summary>One event to 50,000 recipients with two subscriptions each, in no conversation, and a small one right behind it: when the first push is made, when the small one's is, what becomes of the worker's memory.
/// With <c>--events</c> so many of the large ones at once, in the first 45 seconds.</summary>
internal static class LargeAudience
{
    private const int Users = 50_000;
    private const int PerUser = 2;

    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(45);
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(5);

    public static async Task RunAsync(string[] args)
    {
        await using var stage = await LoadStage.StartAsync(Users, PerUser);
        await using var worker = await stage.StartWorkerAsync();
        await Measurement.WarmUpAsync(stage, worker, WholeWay.Number(args, "--warm-up", 20));
        if (WholeWay.Number(args, "--events", 0) is > 0 and var events)
        {
            await MeasureManyAsync(stage, worker, events);
            return;
        }

        Console.WriteLine("| round | first push s | small message's push s | the last s | memory before MB | at most MB |");
        Console.WriteLine("| ---: | ---: | ---: | ---: | ---: | ---: |");
        var samples = new List<(double Seconds, double Megabytes)>();
        for (var round = 1; round <= WholeWay.Number(args, "--rounds", 3); round++)
        {
            samples = await MeasureAsync(stage, worker, round);
        }

        if (WholeWay.Text(args, "--plot") is { } file)
        {
            await File.WriteAllTextAsync(file, Plot.Draw("seconds since the event was confirmed", new PlotLine("memory of the worker, MB", [.. samples.Select(sample => (sample.Seconds, sample.Megabytes))])));
        }
    }

    private static MessagePosted NewBroadcast() => LoadStage.NewEvent([.. Enumerable.Range(0, Users).Select(LoadStage.UserOf)]) with { ConversationId = null };

    private static async Task MeasureManyAsync(LoadStage stage, IntegrationTests.RabbitMq.WorkerProcess worker, int events)
    {
        await using var channel = await stage.OpenChannelAsync();
        var (before, most, started) = (worker.ResidentMegabytes, 0.0, Stopwatch.GetTimestamp());
        for (var published = 0; published < events; published++)
        {
            await LoadStage.PublishAsync(channel, NewBroadcast());
            most = Math.Max(most, worker.ResidentMegabytes);
        }

        // One right behind them, and others while their pushes are made.
        var small = new List<(MessagePosted Message, DateTimeOffset Confirmed)>();
        while (Stopwatch.GetElapsedTime(started) is var elapsed && elapsed < Watched)
        {
            if (elapsed >= small.Count * Between && elapsed < Watched - Between)
            {
                var message = LoadStage.NewEvent([LoadStage.UserOf(small.Count)]);
                await LoadStage.PublishAsync(channel, message);
                small.Add((message, DateTimeOffset.UtcNow));
            }

            most = Math.Max(most, worker.ResidentMegabytes);
            await Task.Delay(200);
        }

        var answers = await stage.Push.AnswersAsync();
        var seconds = small.Select(each => answers[PushTopic.From($"{each.Message.MessageId}")].ToList() is { Count: PerUser } pushed ? (pushed.Max() - each.Confirmed).TotalSeconds : double.PositiveInfinity);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{events} events to {Users:N0} recipients: {before:0} MB before, at most {most:0} MB in {Watched.TotalSeconds:0} seconds; small messages, one every {Between.TotalSeconds:0} seconds, after {string.Join(", ", seconds.Select(second => second.ToString("0.00", CultureInfo.InvariantCulture)))} s."));
    }

    private static async Task<List<(double Seconds, double Megabytes)>> MeasureAsync(LoadStage stage, IntegrationTests.RabbitMq.WorkerProcess worker, int round)
    {
        await using var channel = await stage.OpenChannelAsync();
        var large = NewBroadcast();
        var small = LoadStage.NewEvent([LoadStage.UserOf(7)]);
        var received = stage.Push.Received();
        var before = worker.ResidentMegabytes;
        await LoadStage.PublishAsync(channel, large);
        var (confirmed, started) = (DateTimeOffset.UtcNow, Stopwatch.GetTimestamp());
        await LoadStage.PublishAsync(channel, small);
        var smallConfirmed = DateTimeOffset.UtcNow;
        var samples = new List<(double Seconds, double Megabytes)>();
        while (stage.Push.Received() < received + ((Users + 1) * PerUser))
        {
            samples.Add((Stopwatch.GetElapsedTime(started).TotalSeconds, worker.ResidentMegabytes));
            await Task.Delay(200);
        }

        var answers = await stage.Push.AnswersAsync();
        var pushes = answers[PushTopic.From($"{large.MessageId}")].ToList();
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"| {round} | {(pushes.Min() - confirmed).TotalSeconds:0.00} | {(answers[PushTopic.From($"{small.MessageId}")].Max() - smallConfirmed).TotalSeconds:0.00} | {(pushes.Max() - confirmed).TotalSeconds:0.0} | {before:0} | {samples.Max(sample => sample.Megabytes):0} |"));
        return samples;
    }
}
