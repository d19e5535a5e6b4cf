using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Notify.Tests;

namespace Notify.IntegrationTests.Browsers;

/// <summary>A notification as it stands on the screen; a browser may put its origin before the body.</summary>
public sealed record ShownNotification(string Title, string Body);

/// <summary>
/// An unmodified browser without a window, on a fresh profile, driven by WebDriver BiDi (W3C). Disposing it ends its processes and deletes its profile.
/// </summary>
public abstract class WebBrowser(CancellationToken ct) : IAsyncDisposable
{
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly string[] Events = ["log.entryAdded"];

    private readonly ConcurrentQueue<string> _consoleErrors = new();
    private WebDriver? _driver;

    /// <summary>As the page names it.</summary>
    public abstract string Name { get; }

    /// <summary>Errors that pages wrote to the console or did not catch.</summary>
    public IReadOnlyCollection<string> ConsoleErrors => _consoleErrors;

    /// <summary>Where its files are, and what it would leave in the user's folders.</summary>
    protected string Home { get; } = Directory.CreateTempSubdirectory("notify-browser-").FullName;

    protected CancellationToken Ct => ct;

    protected WebDriver Driver => _driver ?? throw new InvalidOperationException("The browser has not been started.");

    protected bool IsDriven => _driver is not null;

    /// <summary>The page.</summary>
    protected string Context { get; private set; } = "";

    /// <summary>Takes a page's permission to notify back, as a user does in the settings.</summary>
    public abstract Task BlockAsync();

    /// <summary>Lets no site keep data, as a user may choose in the settings; for pages that are opened from now on.</summary>
    public abstract Task BlockSiteDataAsync();

    /// <summary>Waits until what is on the screen is as it should be.</summary>
    public Task WaitForNotificationsAsync(Func<IReadOnlyList<ShownNotification>, bool> condition) => Eventually.GetAsync(NotificationsAsync, condition, Patience);

    /// <summary>The notifications on the screen, the newest last.</summary>
    protected abstract Task<IReadOnlyList<ShownNotification>> NotificationsAsync();

    /// <summary>Clicks the newest notification on the screen.</summary>
    public abstract Task ClickNotificationAsync();

    /// <summary>Clicks a button of the newest notification.</summary>
    /// <param name="action">The action's name.</param>
    /// <param name="label">What is written on it.</param>
    public abstract Task ClickActionAsync(string action, string label);

    /// <summary>Waits until the tabs show exactly these pages.</summary>
    public abstract Task WaitForTabsAsync(params Uri[] urls);

    /// <summary>Cuts it off from its push service, and lets it back.</summary>
    public abstract Task SetOfflineAsync(bool isOffline);

    /// <summary>Lays pages out in the light or the dark scheme.</summary>
    protected abstract Task SetSchemeAsync(bool dark);

    /// <summary>Loads a page and waits for its load event.</summary>
    public Task NavigateAsync(Uri url) =>
        Driver.SendAsync("browsingContext.navigate", new { context = Context, url = url.AbsoluteUri, wait = "complete" }, ct);

    /// <summary>Opens an empty tab before the page.</summary>
    public Task OpenTabAsync() => Driver.SendAsync("browsingContext.create", new { type = "tab", background = false }, ct);

    /// <summary>Returns when the browser has counted what was pushed and not shown.</summary>
    public virtual Task LookAtQuotaAsync() => Task.CompletedTask;

    /// <summary>Runs a function in each page that is loaded from now on, before its own scripts.</summary>
    public Task PreloadAsync(string function) => Driver.SendAsync("script.addPreloadScript", new { functionDeclaration = function }, ct);

    /// <summary>The value of a JavaScript expression in the page, awaited, as JSON; fails with the script's own error.</summary>
    public async Task<JsonNode?> EvaluateAsync(string expression)
    {
        var text = await RunAsync(Context, $"(async () => JSON.stringify(await ({expression})) ?? 'null')()");
        return JsonNode.Parse((string)text["value"]!);
    }

    /// <summary>Waits in the page until the expression is truthy; fails after half a minute, naming the expression.</summary>
    public Task WaitUntilAsync(string expression) => WaitUntilAsync(Context, expression);

    protected async Task WaitUntilAsync(string context, string expression)
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
        await WaitUntilAsync($"document.querySelector({JsonSerializer.Serialize(selector)})?.matches(':not(:disabled, [hidden])')");
        for (var begun = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                await ScrollAndClickAsync(selector);
                return;
            }
            catch (InvalidOperationException exception) when (exception.Message.StartsWith("move target out of bounds", StringComparison.Ordinal) && Stopwatch.GetElapsedTime(begun) < Patience)
            {
                // What came above it in a live page has moved it since it was scrolled to, and nothing was clicked.
            }
        }
    }

    private async Task ScrollAndClickAsync(string selector)
    {
        var element = await RunAsync(Context, $$"""
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
        await Driver.SendAsync("input.performActions", new { context = Context, actions }, ct);
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
        await Driver.SendAsync("input.performActions", new { context = Context, actions }, ct);
    }

    protected async Task<JsonNode> RunAsync(string context, string expression)
    {
        var run = await Driver.SendAsync(
            "script.evaluate", new { expression, target = new { context }, awaitPromise = true, userActivation = true }, ct);
        if ((string?)run["type"] == "exception")
            throw new InvalidOperationException((string?)run["exceptionDetails"]!["text"]);
        return run["result"]!;
    }

    /// <summary>The visible part of the page as PNG.</summary>
    public Task<byte[]> ScreenshotAsync() => CaptureAsync("viewport");

    /// <summary>The whole page as PNG, laid out for a width in CSS pixels, in the light or the dark scheme.</summary>
    public async Task<byte[]> ScreenshotAsync(int width, bool dark)
    {
        await SetSchemeAsync(dark);
        await ResizeAsync(width, 800);
        // As high as the page, or a scrollbar would take its part of the width.
        await ResizeAsync(width, (int)(await EvaluateAsync("document.documentElement.scrollHeight"))!);
        await WaitUntilAsync($"innerWidth === {width} && matchMedia('(prefers-color-scheme: dark)').matches === {(dark ? "true" : "false")}");
        // Where the last click was may be another button now; the pointer would lie on it.
        object[] aside = [new { type = "pointer", id = "mouse", actions = new[] { new { type = "pointerMove", x = 0, y = 0 } } }];
        await Driver.SendAsync("input.performActions", new { context = Context, actions = aside }, ct);
        // Colours fade, and rows slide in.
        await WaitUntilAsync("document.getAnimations().length === 0");
        return await CaptureAsync("document");
    }

    private async Task ResizeAsync(int width, int height) =>
        await Driver.SendAsync("browsingContext.setViewport", new { context = Context, viewport = new { width, height } }, ct);

    private async Task<byte[]> CaptureAsync(string origin)
    {
        var shot = await Driver.SendAsync("browsingContext.captureScreenshot", new { context = Context, origin }, ct);
        return Convert.FromBase64String((string)shot["data"]!);
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        if (_driver is not null)
            await _driver.DisposeAsync();
        await DeleteHomeAsync();
        GC.SuppressFinalize(this);
    }

    // A child that is still ending may write once more.
    private async Task DeleteHomeAsync()
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                Directory.Delete(Home, recursive: true);
                return;
            }
            catch (IOException) when (tries < 100)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
            }
        }
    }

    /// <summary>Ends its processes.</summary>
    protected abstract Task EndAsync();

    /// <summary>From here on it is driven by this session.</summary>
    protected async Task DriveAsync(WebDriver driver)
    {
        _driver = driver;
        driver.EventReceived += (_, entry) =>
        {
            if ((string?)entry["level"] == "error")
                _consoleErrors.Enqueue((string?)entry["text"] ?? "");
        };
        await driver.SendAsync("session.subscribe", new { events = Events }, ct);
        var tree = await driver.SendAsync("browsingContext.getTree", new { }, ct);
        Context = (string)tree["contexts"]![0]!["context"]!;
    }

    /// <summary>The path of an installed program; else the test is skipped, or fails with NOTIFY_TEST_REQUIRE_ALL=1.</summary>
    protected static string Find(string program, string package)
    {
        var missing = $"{program} is not installed: apt-get install -y {package}";
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);
        if (path is not null)
            return path;
        if (Environment.GetEnvironmentVariable("NOTIFY_TEST_REQUIRE_ALL") == "1")
            Assert.Fail(missing);
        Assert.Skip(missing);
        return "";
    }

    /// <summary>Starts a program that leaves nothing in the user's folders, and waits for a line of its errors or output that tells something.</summary>
    protected async Task<(Process Process, string Told)> LaunchAsync(ProcessStartInfo start, Func<string, string?> read)
    {
        (start.RedirectStandardError, start.RedirectStandardOutput) = (true, true);
        start.Environment["HOME"] = Home;
        start.Environment["TMPDIR"] = Home;
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        var lines = new ConcurrentQueue<string>();
        var told = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        void Take(object sender, DataReceivedEventArgs line)
        {
            if (line.Data is null || told.Task.IsCompleted)
                return;
            lines.Enqueue(line.Data);
            if (read(line.Data) is { } found)
                told.TrySetResult(found);
        }
        process.Exited += (_, _) => told.TrySetException(new IOException($"{start.FileName} ended: {string.Join('\n', lines)}"));
        process.Start();
        process.ErrorDataReceived += Take;
        process.OutputDataReceived += Take;
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        try
        {
            return (process, await told.Task.WaitAsync(Patience, ct));
        }
        catch (Exception exception)
        {
            await KillAsync(process);
            throw exception is TimeoutException ? new TimeoutException($"{start.FileName} said only: {string.Join('\n', lines)}") : exception;
        }
    }

    protected static async Task KillAsync(Process process)
    {
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync(CancellationToken.None);
        process.Dispose();
    }
}
