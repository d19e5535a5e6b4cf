using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Notify.IntegrationTests.Browsers;

/// <summary>
/// An unmodified Firefox ESR without a window, on a fresh profile, whose push service is the given one.
/// Disposing it ends its processes and deletes its profile.
/// </summary>
public sealed partial class Firefox : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly string[] Events = ["log.entryAdded"];

    private readonly string _home = Directory.CreateTempSubdirectory("notify-firefox-").FullName;
    private readonly ConcurrentQueue<string> _consoleErrors = new();
    private readonly CancellationToken _ct;
    private Process? _process;
    private WebDriver? _driver;
    private string _context = "";

    private Firefox(CancellationToken ct) => _ct = ct;

    private WebDriver Driver => _driver ?? throw new InvalidOperationException("Firefox has not been started.");

    /// <summary>Errors that pages wrote to the console or did not catch.</summary>
    public IReadOnlyCollection<string> ConsoleErrors => _consoleErrors;

    /// <summary>
    /// Starts it, its push service being the one whose browser side is at the given ws URL; or skips the test
    /// where firefox-esr is not installed (fails with NOTIFY_TEST_REQUIRE_ALL=1).
    /// </summary>
    public static async Task<Firefox> StartAsync(Uri pushService, CancellationToken ct)
    {
        var program = Find();
        var firefox = new Firefox(ct);
        try
        {
            await firefox.LaunchAsync(program, pushService);
            return firefox;
        }
        catch
        {
            await firefox.DisposeAsync();
            throw;
        }
    }

    private static string Find()
    {
        const string missing = "firefox-esr is not installed: apt-get install -y firefox-esr";
        var program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, "firefox-esr")).FirstOrDefault(File.Exists);
        if (program is not null)
            return program;
        if (Environment.GetEnvironmentVariable("NOTIFY_TEST_REQUIRE_ALL") == "1")
            Assert.Fail(missing);
        Assert.Skip(missing);
        return "";
    }

    private async Task LaunchAsync(string program, Uri pushService)
    {
        var profile = Directory.CreateDirectory(Path.Combine(_home, "profile")).FullName;
        await File.WriteAllLinesAsync(Path.Combine(profile, "user.js"), Preferences(pushService), _ct);
        var start = new ProcessStartInfo(program)
        {
            ArgumentList = { "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0", "--remote-allow-system-access" },
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        // What it would leave in the user's folders goes with the profile.
        start.Environment["HOME"] = _home;
        start.Environment["TMPDIR"] = _home;
        start.Environment["MOZ_DISABLE_NONLOCAL_CONNECTIONS"] = "1";
        start.Environment["MOZ_CRASHREPORTER_DISABLE"] = "1";
        _process = Process.Start(start)!;

        var address = new TaskCompletionSource<Uri>(TaskCreationOptions.RunContinuationsAsynchronously);
        _process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data?.Split("WebDriver BiDi listening on ") is [_, var url])
                address.TrySetResult(new Uri(url));
            else if (line.Data is null)
                address.TrySetException(new IOException("Firefox ended before it listened."));
        };
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();

        _driver = await WebDriver.ConnectAsync(await address.Task.WaitAsync(Patience, _ct), _ct);
        _driver.EventReceived += (_, entry) =>
        {
            if ((string?)entry["level"] == "error")
                _consoleErrors.Enqueue((string?)entry["text"] ?? "");
        };
        await _driver.SendAsync("session.subscribe", new { events = Events }, _ct);
        var tree = await _driver.SendAsync("browsingContext.getTree", new { }, _ct);
        _context = (string)tree["contexts"]![0]!["context"]!;
    }

    private static IEnumerable<string> Preferences(Uri pushService)
    {
        var preferences = new Dictionary<string, object>
        {
            ["dom.push.serverURL"] = pushService.AbsoluteUri,
            ["dom.push.testing.allowInsecureServerURL"] = true,
            // WebDriver BiDi's recommended preferences turn the push connection off.
            ["dom.push.connection.enabled"] = true,
            // Each push without a visit counts against a quota of 16, after which Firefox unsubscribes by itself.
            ["dom.push.maxQuotaPerSubscription"] = 100_000,
            ["dom.push.retryBaseInterval"] = 200,
            ["network.websocket.delay-failed-reconnects"] = false,
            ["network.manage-offline-status"] = false,
            ["permissions.default.desktop-notification"] = 1,
            ["alerts.useSystemBackend"] = false,
            ["services.settings.server"] = "data:,#remote-settings-dummy/v1",
        };
        return preferences.Select(pair => $"user_pref({JsonSerializer.Serialize(pair.Key)}, {JsonSerializer.Serialize(pair.Value)});");
    }

    /// <summary>Loads a page and waits for its load event.</summary>
    public Task NavigateAsync(Uri url) =>
        Driver.SendAsync("browsingContext.navigate", new { context = _context, url = url.AbsoluteUri, wait = "complete" }, _ct);

    /// <summary>The value of a JavaScript expression in the page, awaited, as JSON; fails with the script's own error.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression)
    {
        var text = await RunAsync(_context, $"(async () => JSON.stringify(await ({expression})) ?? 'null')()");
        return JsonNode.Parse((string)text["value"]!);
    }

    /// <summary>Waits in the page until the expression is truthy; fails after half a minute, naming the expression.</summary>
    public Task WaitUntilAsync(string expression) => WaitUntilAsync(_context, expression);

    private async Task WaitUntilAsync(string context, string expression)
    {
        var milliseconds = Patience.TotalMilliseconds.ToString(CultureInfo.InvariantCulture);
        var held = await RunAsync(context, $$"""
            (async () => {
              for (const end = performance.now() + {{milliseconds}}; performance.now() < end; await new Promise((r) => setTimeout(r, 20)))
                if (await ({{expression}})) return true;
              return false;
            })()
            """);
        Assert.True((bool)held["value"]!, $"Never came true: {expression}");
    }

    /// <summary>Clicks an element as a user does, which counts as a user gesture.</summary>
    public async Task ClickAsync(string selector)
    {
        await WaitUntilAsync($"document.querySelector({JsonSerializer.Serialize(selector)})?.matches(':enabled:not([hidden])')");
        var element = await RunAsync(_context, $$"""
            (() => {
              const element = document.querySelector({{JsonSerializer.Serialize(selector)}});
              element.scrollIntoView({ block: "center", behavior: "instant" });
              return element;
            })()
            """);
        var origin = new { type = "element", element = new { sharedId = (string)element["sharedId"]! } };
        object[] steps =
        [
            new { type = "pointerMove", x = 0, y = 0, origin },
            new { type = "pointerDown", button = 0 },
            new { type = "pointerUp", button = 0 },
        ];
        object[] actions = [new { type = "pointer", id = "mouse", actions = steps }];
        await Driver.SendAsync("input.performActions", new { context = _context, actions }, _ct);
    }

    /// <summary>Clicks into a field and types over what is in it.</summary>
    public async Task TypeAsync(string selector, string text)
    {
        const string Control = "\uE009";
        await ClickAsync(selector);
        object[] steps =
        [
            new { type = "keyDown", value = Control }, new { type = "keyDown", value = "a" },
            new { type = "keyUp", value = "a" }, new { type = "keyUp", value = Control },
            .. text.SelectMany(each => new object[] { new { type = "keyDown", value = each }, new { type = "keyUp", value = each } }),
        ];
        object[] actions = [new { type = "key", id = "keyboard", actions = steps }];
        await Driver.SendAsync("input.performActions", new { context = _context, actions }, _ct);
    }

    private async Task<JsonNode> RunAsync(string context, string expression)
    {
        var run = await Driver.SendAsync(
            "script.evaluate", new { expression, target = new { context }, awaitPromise = true, userActivation = true }, _ct);
        if ((string?)run["type"] == "exception")
            throw new InvalidOperationException((string?)run["exceptionDetails"]!["text"]);
        return run["result"]!;
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await EndAsync(_process);
            _process.Dispose();
        }
        if (_driver is not null)
            await _driver.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }

    // Asked first, since its children end with it; killed when it does not listen.
    private async Task EndAsync(Process process)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            if (_driver is not null)
                await _driver.SendAsync("browser.close", new { }, deadline.Token);
            else
                process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(deadline.Token);
        }
        catch (Exception exception) when (exception is IOException or System.Net.WebSockets.WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }
}
