using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Notify.Authentication;
using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Operations;
using Notify.Subscriptions;
using Spectre.Console;

namespace Notify.Commands;

/// <summary>
/// <c>demo</c>: the main job once, with nobody at the keyboard: (1) starts the embedded service on free ports, (2) subscribes simulated user agents
/// over the HTTP API, (3) makes one push service answer 503 and one 410, (4) publishes one MessagePosted, (5) decrypts what arrives, (6) shows the
/// retry and the expiry.
/// </summary>
internal static class DemoCommand
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    // Whose push is answered 503 once, and whose subscription is gone.
    private const string Retried = "ada's laptop";
    private const string Gone = "grace's old phone";

    private static readonly (string Device, string User)[] Devices =
    [
        ("ada's phone", "ada"), (Retried, "ada"), ("grace's tablet", "grace"), (Gone, "grace"), ("linus's desktop", "linus"),
    ];

    public static Command Create()
    {
        var command = new Command("demo", "Does the main job once on the embedded default, and shows each step; exit code 0 only if all arrived.");
        command.SetAction((arguments, cancellationToken) =>
        {
            arguments.RejectTheRest();
            return RunAsync(cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        if (Console.IsOutputRedirected)
        {
            // Plain lines, not broken at a width that nobody has.
            AnsiConsole.Profile.Width = int.MaxValue;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        var folder = Directory.CreateTempSubdirectory("notify-demo-");
        var start = TimeProvider.System.GetTimestamp();
        try
        {
            var arrived = await ShowAsync(folder, limit.Token);
            var took = TimeProvider.System.GetElapsedTime(start).TotalSeconds;
            AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"[green]All {arrived} live subscriptions got the message, one after a retry; the one that was gone has been deleted. Done in {took:0.0} s.[/]");
            return 0;
        }
        catch (Exception exception) when (exception is OperationCanceledException or DemoException)
        {
            AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"[red]The demo failed: {(exception is DemoException ? exception.Message : $"not everything came to its end within {Patience.TotalSeconds} s")}.[/]");
            return 1;
        }
        finally
        {
            Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
            folder.Delete(recursive: true);
        }
    }

    private static async Task<int> ShowAsync(DirectoryInfo folder, CancellationToken cancellationToken)
    {
        // (1)
        await using var app = NotifyApplication.Create(
            [
                $"--environment={Environments.Development}", "--urls=http://127.0.0.1:0", "--Notify:LocalPushService:Url=http://127.0.0.1:0",
                $"--ConnectionStrings:Notify=Data Source={Path.Combine(folder.FullName, "notify.db")}", "--Notify:Sending:RetryDelay=00:00:00.5",
                "--Notify:Transport=InMemory", "--Notify:Store=Sqlite",

                // Whatever else is set here, the demo needs these.
                "--Notify:Sending:MaxAttempts=5", "--Notify:Sending:MaxRetryDelay=01:00:00", "--Notify:Subscriptions:MaxPerUser=100", "--Notify:DeliveryLog:Enabled=true",
                "--Notify:RateLimits:PerUser=0", "--Notify:RateLimits:PerPublisher=0", "--Notify:RateLimits:PerAddress=0", "--Notify:SecretsDirectory=", "--Notify:Telemetry:PrometheusPort=",
            ],
            builder => builder.Logging.ClearProviders());
        await StepAsync("Starting the service: in-memory bus, SQLite, local push service", () => app.StartAsync(cancellationToken));
        var push = app.Services.GetRequiredService<LocalPush>().Server!;
        using var http = new HttpClient { BaseAddress = NotifyApplication.AddressOf(app) };
        await using var agent = await LocalUserAgent.ConnectAsync(push.Url, cancellationToken);

        // (2)
        var devices = new Dictionary<LocalSubscription, string>();
        await StepAsync($"Subscribing {Devices.Length} simulated user agents of 3 users over the HTTP API", async () =>
        {
            var key = (await http.GetFromJsonAsync<VapidPublicKeyView>("api/vapid-public-key", cancellationToken))!.PublicKey;
            foreach (var (device, user) in Devices)
            {
                var subscription = await agent.SubscribeAsync(key, cancellationToken);
                using var content = new StringContent(subscription.ToJson(), System.Text.Encoding.UTF8, "application/json");
                using var response = await SendAsync(http, HttpMethod.Post, "api/subscriptions", user, content, cancellationToken);
                devices.Add(subscription, device);
            }
        });

        // (3)
        push.Faults.Add(new PushFault { Endpoint = EndpointOf(devices, Retried), Status = 503 });
        push.Faults.Add(new PushFault { Endpoint = EndpointOf(devices, Gone), Gone = true });

        // (4)
        var message = new MessagePosted
        {
            MessageId = Guid.CreateVersion7(),
            ConversationId = "demo",
            AuthorId = "margaret",
            RecipientIds = ["ada", "grace", "linus", "margaret"],
            Title = "Margaret",
            Body = "The eagle has landed 🦅",
            Url = "/",
        };
        await StepAsync("Publishing one MessagePosted to ada, grace and linus", async () =>
        {
            using var response = await SendAsync(http, HttpMethod.Post, "api/messages", "margaret", JsonContent.Create(message), cancellationToken);
        });

        // (5)
        var live = devices.Count - 1;
        await ReceiveAsync(agent, devices, message, live, cancellationToken);

        // (6)
        var rows = await SettledAsync(http, message.MessageId, devices.Count, cancellationToken);
        Expect(rows.Count(row => row is { State: "accepted", Attempts: 2 }) == 1, "one push should have taken two attempts");
        Line($"{Retried}: answered 503 first, retried, accepted at attempt 2");
        Expect(rows.Count(row => row.State == "expired") == 1, "one subscription should have expired");
        using var left = await SendAsync(http, HttpMethod.Get, "api/subscriptions", "grace", null, cancellationToken);
        Expect((await left.Content.ReadFromJsonAsync<List<SubscriptionView>>(cancellationToken))!.Count == 1, "the gone subscription should have been deleted");
        Line($"{Gone}: answered 410, expired, deleted from the store");
        await app.StopAsync(cancellationToken);
        return live;
    }

    private static async Task ReceiveAsync(LocalUserAgent agent, Dictionary<LocalSubscription, string> devices, MessagePosted message, int live, CancellationToken cancellationToken)
    {
        var waiting = devices.Values.Where(device => device != Gone).ToHashSet();
        await foreach (var received in agent.Received.ReadAllAsync(cancellationToken))
        {
            Expect(received.Error is null, $"{devices[received.Subscription]} could not decrypt what it got");
            var notification = JsonDocument.Parse(received.Content).RootElement.GetProperty("notification");
            Expect(notification.GetProperty("body").GetString() == message.Body, $"{devices[received.Subscription]} got something else");
            Expect(waiting.Remove(devices[received.Subscription]), $"{devices[received.Subscription]} got it twice, or should not have");
            Line($"{devices[received.Subscription]}: decrypted {received.Content.Length} bytes, “{notification.GetProperty("title").GetString()}: {notification.GetProperty("body").GetString()}” ({live - waiting.Count} of {live})");
            if (waiting.Count == 0)
            {
                return;
            }
        }

        throw new DemoException($"{string.Join(", ", waiting)} got nothing");
    }

    private static async Task<List<Deliveries.DeliveryView>> SettledAsync(HttpClient http, Guid messageId, int count, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            using var response = await SendAsync(http, HttpMethod.Get, $"api/messages/{messageId}/deliveries", "margaret", null, cancellationToken);
            var rows = (await response.Content.ReadFromJsonAsync<List<Deliveries.DeliveryView>>(cancellationToken))!;
            if (rows.Count == count && rows.TrueForAll(row => row.State != "retrying"))
            {
                return rows;
            }

            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpClient http, HttpMethod method, string path, string user, HttpContent? content, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        request.Headers.Add(DevelopmentUserHandler.Header, user);
        var response = await http.SendAsync(request, cancellationToken);
        Expect(response.IsSuccessStatusCode, $"{method} {path} was answered {(int)response.StatusCode}");
        return response;
    }

    private static string EndpointOf(Dictionary<LocalSubscription, string> devices, string device) => devices.Single(pair => pair.Value == device).Key.Endpoint;

    private static async Task StepAsync(string what, Func<Task> work)
    {
        if (AnsiConsole.Profile.Capabilities.Interactive)
        {
            await AnsiConsole.Status().StartAsync(Markup.Escape(what), _ => work());
        }
        else
        {
            await work();
        }

        Line(what);
    }

    private static void Line(string what) => AnsiConsole.MarkupLineInterpolated(CultureInfo.InvariantCulture, $"[green]✓[/] {what}");

    private static void Expect(bool kept, string fault)
    {
        if (!kept)
        {
            throw new DemoException(fault);
        }
    }

    private sealed class DemoException(string message) : Exception(message);
}
