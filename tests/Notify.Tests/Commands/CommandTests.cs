using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Notify.Store;
using Notify.Subscriptions;
using Notify.Tests.Store;
using Notify.WebPush;

namespace Notify.Tests.Commands;

public sealed class CommandTests
{
    private static readonly Dictionary<string, string> Nothing = [];

    [Fact]
    public async Task Vapid_generate_prints_a_pair_as_configuration_lines()
    {
        var run = await NotifyProcess.RunAsync(Nothing, "vapid", "generate");

        Assert.Equal(0, run.ExitCode);
        var lines = run.Output.Trim().Split('\n').Select(line => line.Trim().Split('=', 2)).ToDictionary(line => line[0], line => line[1]);
        VapidKeyPair.Import(lines["Notify__Vapid__PublicKey"], lines["Notify__Vapid__PrivateKey"]).Dispose();
    }

    [Fact]
    public async Task Vapid_generate_prints_json_for_programs()
    {
        var run = await NotifyProcess.RunAsync(Nothing, "vapid", "generate", "--json");

        var json = JsonDocument.Parse(run.Output).RootElement;
        VapidKeyPair.Import(json.GetProperty("publicKey").GetString()!, json.GetProperty("privateKey").GetString()!).Dispose();
    }

    [Theory]
    [InlineData("mailto:ops@example.com", 0, "ok")]
    [InlineData("mailto:ops@localhost", 1, "refused")]
    [InlineData("ops@example.com", 1, "refused")]
    public async Task Vapid_check_says_which_vendor_would_refuse(string subject, int exitCode, string said)
    {
        using var pair = VapidKeyPair.Generate();
        var run = await NotifyProcess.RunAsync(
            new Dictionary<string, string> { ["Notify__Vapid__Subject"] = subject, ["Notify__Vapid__PublicKey"] = pair.PublicKey, ["Notify__Vapid__PrivateKey"] = pair.PrivateKey },
            "vapid",
            "check");

        Assert.Equal(exitCode, run.ExitCode);
        Assert.Contains(said, run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(pair.PrivateKey, run.Output + run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Vapid_check_without_a_pair_says_how_to_make_one()
    {
        var run = await NotifyProcess.RunAsync(Nothing, "vapid", "check");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("vapid generate", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Vapid_check_tells_how_far_a_change_of_keys_has_come()
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            var database = new TestDatabase(StoreKind.Sqlite, $"Data Source={Path.Combine(folder.FullName, "notify.db")}");
            using var current = VapidKeyPair.Generate();
            using var previous = VapidKeyPair.Generate();
            var settings = new Dictionary<string, string>
            {
                ["ConnectionStrings__Notify"] = database.ConnectionString,
                ["Notify__Vapid__Subject"] = "mailto:ops@example.com",
                ["Notify__Vapid__PublicKey"] = current.PublicKey,
                ["Notify__Vapid__PrivateKey"] = current.PrivateKey,

                // Padded, as some tools print it; subscriptions have it without.
                ["Notify__Vapid__Previous__0__PublicKey"] = previous.PublicKey + "=",
                ["Notify__Vapid__Previous__0__PrivateKey"] = previous.PrivateKey + "=",
            };
            var before = await NotifyProcess.RunAsync(settings, "vapid", "check");
            await NotifyProcess.RunAsync(settings, "migrate");
            await using (var store = TestStore.Of(database))
            {
                await using var db = store.Open();
                foreach (var key in (string[])[current.PublicKey, current.PublicKey, current.PublicKey, previous.PublicKey, previous.PublicKey, "another"])
                {
                    var push = TestStore.NewPushSubscription();
                    db.Add(new Subscription { Id = Guid.CreateVersion7(), UserId = "ada", Endpoint = push.Endpoint.OriginalString, EndpointDigest = EndpointDigests.Of(push.Endpoint.OriginalString), P256dh = push.P256dh, Auth = push.Auth, ApplicationServerKey = key });
                }

                await db.SaveChangesAsync(TestContext.Current.CancellationToken);
            }

            var after = await NotifyProcess.RunAsync(settings, "vapid", "check");

            Assert.Equal((0, 0), (before.ExitCode, after.ExitCode));
            Assert.Contains("The subscriptions were not counted: no store", before.Output, StringComparison.Ordinal);
            Assert.Contains("Subscriptions: 6, of which 3 with the current key; 2 with Notify__Vapid__Previous__0; 1 with a key that is not configured", after.Output, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Migrate_makes_the_schema_and_then_has_nothing_to_do()
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            var store = new Dictionary<string, string> { ["ConnectionStrings__Notify"] = $"Data Source={Path.Combine(folder.FullName, "notify.db")}" };
            var first = await NotifyProcess.RunAsync(store, "migrate");
            var second = await NotifyProcess.RunAsync(store, "migrate");

            Assert.Equal((0, 0), (first.ExitCode, second.ExitCode));
            Assert.Contains("Initial", first.Output, StringComparison.Ordinal);
            Assert.Contains("current schema", second.Output, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Migrate_script_prints_sql_and_touches_nothing()
    {
        var run = await NotifyProcess.RunAsync(Nothing, "migrate", "--script");

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("CREATE TABLE \"Subscriptions\"", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Send_without_a_service_says_that_one_must_run()
    {
        var run = await NotifyProcess.RunAsync(new Dictionary<string, string> { ["ASPNETCORE_URLS"] = "http://127.0.0.1:9" }, "send", "--user", "ada", "--title", "Hello");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("No service answers", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Send_publishes_through_the_running_service()
    {
        await using var service = await NotifyService.StartAsync();
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;

        var run = await NotifyProcess.RunAsync(new Dictionary<string, string> { ["ASPNETCORE_URLS"] = service.Url.ToString() }, "send", "--user", "ada", "--title", "Hello", "--body", "from the shell");

        Assert.True(run.ExitCode == 0, run.Error);
        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).SequenceEqual(["Hello"]));
    }

    [Fact]
    public async Task Outside_development_an_unconfigured_service_says_what_is_missing_and_stops()
    {
        var run = await NotifyProcess.RunAsync(new Dictionary<string, string> { ["ASPNETCORE_ENVIRONMENT"] = "Production" });

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("Notify__Vapid__Subject", run.Error, StringComparison.Ordinal);
        Assert.Contains("Notify__Auth__SigningKey", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("dmeo")]
    [InlineData("--colour")]
    [InlineData("demo", "nonsense")]
    [InlineData("vapid", "generate", "--jsn")]
    [InlineData("send", "--user", "ada", "--title", "x", "--bdy", "hello")]
    public async Task A_mistyped_command_or_option_is_refused(params string[] arguments)
    {
        var run = await NotifyProcess.RunAsync(Nothing, arguments);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("--help", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Notify__Sending__MaxAttempts", "abc")]
    [InlineData("Notify__Transport", "Kafka")]
    [InlineData("ConnectionStrings__Notify", "Data Sorce=x")]
    [InlineData("ConnectionStrings__Notify", "Data Source=/nowhere/at/all/notify.db")]
    [InlineData("ConnectionStrings__Notify", "Data Source=text.db")]
    [InlineData("Notify__Transport", "1")]
    [InlineData("Notify__LocalPushService__Url", "http://localhost:0/path")]
    [InlineData("ASPNETCORE_URLS", "foo")]
    [InlineData("ASPNETCORE_URLS", "http://localhost:99999")]
    public async Task A_setting_that_cannot_be_used_ends_in_a_sentence(string key, string value)
    {
        var run = await NotifyProcess.RunAsync(
            new Dictionary<string, string> { ["Notify__LocalPushService__Url"] = "http://localhost:0", ["ASPNETCORE_URLS"] = "http://127.0.0.1:0", [key] = value },
            folder => File.WriteAllText(Path.Combine(folder, "text.db"), "This is no database. It is only a text."));

        Assert.Equal(1, run.ExitCode);
        Assert.Contains(key, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Output + run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_that_is_in_use_ends_in_a_sentence()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();

        var run = await NotifyProcess.RunAsync(new Dictionary<string, string> { ["Notify__LocalPushService__Url"] = "http://localhost:0", ["ASPNETCORE_URLS"] = $"http://{other.LocalEndpoint}" });

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("set ASPNETCORE_URLS to another address", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Output + run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_demo_does_the_main_job_once_and_says_so()
    {
        var run = await NotifyProcess.RunAsync(Nothing, "demo");

        Assert.True(run.ExitCode == 0, run.Output + run.Error);
        Assert.Contains("retr", run.Output, StringComparison.Ordinal);
        Assert.Contains("expire", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_demo_does_not_go_by_settings_that_are_meant_for_the_service()
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "ConnectionStrings__Notify"), "Data Source=/nowhere/at/all/notify.db", TestContext.Current.CancellationToken);

            var run = await NotifyProcess.RunAsync(
                new Dictionary<string, string>
                {
                    ["Notify__Sending__MaxAttempts"] = "1",
                    ["Notify__Sending__MaxRetryDelay"] = "00:00:00.1",
                    ["Notify__RateLimits__PerUser"] = "1",
                    ["Notify__RateLimits__PerPublisher"] = "1",
                    ["Notify__Subscriptions__MaxPerUser"] = "1",
                    ["Notify__DeliveryLog__Enabled"] = "false",
                    ["Notify__SecretsDirectory"] = folder.FullName,
                },
                "demo");

            Assert.True(run.ExitCode == 0, run.Output + run.Error);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
