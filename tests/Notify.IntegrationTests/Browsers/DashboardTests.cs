using System.Text.Json;
using Notify.Contracts;
using Notify.LocalPushService;
using Notify.Tests.Authentication;
using Notify.WebPush;

namespace Notify.IntegrationTests.Browsers;

public abstract class DashboardTests(BrowserKind kind) : BrowserTest(kind)
{
    private const string Headline = "document.querySelector('#headline').textContent";
    private const string Timelines = "[...document.querySelectorAll('#found .timeline')].map((each) => each.textContent)";

    [Fact]
    public async Task An_operator_sees_pushes_flow_and_fail_and_finds_the_message_and_the_user()
    {
        await Browser.PreloadAsync("() => { window.violations = []; addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective)); }");
        foreach (var user in new[] { "ada", "ada", "ada", "grace" })
            await Host.SubscribeAnotherAsync(user, Ct);
        var pushService = new Uri((await Host.SubscriptionsAsync(Ct))[0].Endpoint).Authority;
        await Browser.NavigateAsync(Dashboard());
        await Browser.WaitUntilAsync($"{Headline}.endsWith('All is well: no pushes at the moment')");

        Host.Faults.Add(new PushFault { Status = 503 });
        var retried = await Host.PostAsync(new MessagePosted { RecipientIds = ["grace"], Title = "once more" });
        await Host.DeliveryAsync(retried, "accepted");
        Host.Faults.Add(new PushFault { Gone = true });
        var expired = await Host.PostAsync(new MessagePosted { RecipientIds = ["ada"], Title = "gone" });
        await WaitForTextAsync("#failures tbody strong", "subscription expired");
        await WaitForTextAsync("#failures tbody td:nth-child(3)", "410");
        await using (Flow())
        {
            await Browser.WaitUntilAsync($"/All is well: [0-9.,]+ pushes a second, half accepted within [0-9.,]+ m?s$/.test({Headline})");
            await Browser.WaitUntilAsync("parseFloat(document.querySelector('.plot .legend b').textContent) > 3 && document.querySelectorAll('.plot canvas').length === 4");
            await Browser.WaitUntilAsync($"document.querySelector('#services tbody th')?.textContent === {JsonSerializer.Serialize(pushService)}");
            await Browser.WaitUntilAsync("/accepted [0-9.,]+/.test(document.querySelector('#services .outcomes')?.textContent)");
            await WaitForTextAsync("#workers .state", "at work");
            await Browser.WaitUntilAsync("document.querySelector('#queues').textContent.includes('in-memory bus')");
            await TakePicturesAsync("dashboard", phoneWidth: 360);
        }

        await Browser.ClickAsync($"#failures a[href='#message={expired}']");
        await WaitForTextAsync("#found h3 code", expired.ToString());
        await Browser.WaitUntilAsync("['expired 1', 'accepted 2'].every((state) => document.querySelector('#found .states').textContent.includes(state))");

        await SeekAsync(retried.ToString());
        await WaitForTextAsync("#found h3 code", retried.ToString());
        await Browser.WaitUntilAsync($"/posted.*fanned out.*attempt 1 · HTTP 503.*accepted/s.test({Timelines}.join())");
        Assert.Equal($"#message={retried}", (string?)await Browser.EvaluateAsync("location.hash"));

        await SeekAsync("ada");
        await WaitForTextAsync("#found h3 code", "ada");
        Assert.Equal(2, (int)(await Browser.EvaluateAsync("document.querySelectorAll('#found tbody tr').length"))!);
        Assert.True((bool)(await Browser.EvaluateAsync($"{Timelines}.some((each) => /posted.*[+] [0-9.,]+ msfanned out.*accepted/s.test(each))"))!);
        Assert.Empty(Browser.ConsoleErrors);
        Assert.Empty((await Browser.EvaluateAsync("violations"))!.AsArray());
    }

    [Fact]
    public async Task A_page_that_is_opened_while_the_queues_cannot_be_looked_into_shows_all_else()
    {
        // As the service tells it once its last look is some time ago.
        await Browser.PreloadAsync("() => { const parse = JSON.parse; JSON.parse = (text) => { const read = parse(text); if (read?.backlog) read.backlog.at = '2026-01-01T00:00:00Z'; return read; }; }");
        await Browser.NavigateAsync(Dashboard());

        await Browser.WaitUntilAsync("document.querySelector('#queues').textContent.includes('could not be looked into since')");
        await Browser.WaitUntilAsync($"{Headline}.endsWith('All is well: no pushes at the moment')");
        await WaitForTextAsync("#workers .state", "at work");
    }

    [Fact]
    public async Task A_link_leads_to_what_it_names()
    {
        await Host.SubscribeAnotherAsync("ada lovelace", Ct);
        await Browser.NavigateAsync(Dashboard("#user=ada%20lovelace"));
        await WaitForTextAsync("#found h3 code", "ada lovelace");

        await SeekAsync(Guid.Empty.ToString());
        await Browser.WaitUntilAsync("document.querySelector('#finding').textContent.startsWith('Nothing is known of')");
        Assert.Equal("", await TextAsync("#found"));
    }

    [Fact]
    public async Task Blanks_alone_find_nothing_and_leave_nothing_standing()
    {
        await Host.SubscribeAnotherAsync("ada", Ct);
        await Browser.NavigateAsync(Dashboard("#user=ada"));
        await WaitForTextAsync("#found h3 code", "ada");

        await SeekAsync("  ");

        await WaitForTextAsync("#finding", "A message's id or a user's is needed.");
        Assert.Equal("", await TextAsync("#found"));
        Assert.Equal("", (string?)await Browser.EvaluateAsync("location.hash"));
    }

    [Fact]
    public async Task Where_site_data_are_blocked_it_shows_all_there_is()
    {
        await Browser.BlockSiteDataAsync();

        await Browser.NavigateAsync(Dashboard());

        await Browser.WaitUntilAsync($"{Headline}.endsWith('All is well: no pushes at the moment')");
        Assert.Empty(Browser.ConsoleErrors);
    }

    [Fact]
    public async Task No_two_regions_have_one_name()
    {
        await Browser.NavigateAsync(Dashboard());
        await Browser.WaitUntilAsync($"{Headline}.includes('All is well')");

        var names = await Browser.EvaluateAsync("""
            [...document.querySelectorAll("section, [role=region]")].map((region) =>
              region.ariaLabel ?? document.getElementById(region.getAttribute("aria-labelledby")).textContent)
            """);

        Assert.Distinct(names!.AsArray().Select(name => (string?)name));
    }

    [Fact]
    public async Task Outside_Development_a_token_with_the_scope_gets_in_and_no_other()
    {
        using var pair = VapidKeyPair.Generate();
        await Host.RestartServiceAsync(
            "--environment=Production", "--Notify:Vapid:Subject=mailto:ops@example.com", $"--Notify:Vapid:PublicKey={pair.PublicKey}", $"--Notify:Vapid:PrivateKey={pair.PrivateKey}",
            $"--Notify:Auth:SigningKey={Tokens.SigningKey}", "--Notify:Auth:Audience=notify");
        await Browser.NavigateAsync(Dashboard());
        await Browser.WaitUntilAsync("document.activeElement === document.querySelector('#token')");
        Assert.True((bool)(await Browser.EvaluateAsync("document.querySelector('#live').hidden"))!);

        await GiveAsync("not a token");
        await Browser.WaitUntilAsync("document.querySelector('#access-problem').textContent.startsWith('That token was not accepted')");
        await GiveAsync(Token("notify.publish"));
        await WaitForTextAsync("#access-problem", "That token is good, but lacks the scope notify.operate.");
        Assert.True((bool)(await Browser.EvaluateAsync("document.querySelector('#live').hidden"))!);

        await GiveAsync(Token("notify.operate"));
        await Browser.WaitUntilAsync("!document.querySelector('#live').hidden && document.querySelector('#access').hidden");
        Assert.Equal("", (string?)await Browser.EvaluateAsync("document.querySelector('#token').value + Object.keys(localStorage) + document.cookie"));

        await Browser.NavigateAsync(Dashboard());
        await Browser.WaitUntilAsync("!document.querySelector('#live').hidden && document.querySelector('#access').hidden");
    }

    [Fact]
    public async Task The_page_says_that_it_has_lost_the_service_and_comes_back_by_itself()
    {
        await Browser.NavigateAsync(Dashboard());
        await Browser.WaitUntilAsync($"{Headline}.includes('All is well')");

        var lost = Browser.WaitUntilAsync($"{Headline}.includes('heard nothing from Notify since') && document.querySelector('#live.stale')");
        await Host.RestartServiceAsync();
        await lost;

        await Browser.WaitUntilAsync($"{Headline}.includes('All is well') && !document.querySelector('#live.stale')");
    }

    [Fact]
    public async Task The_page_follows_nothing_while_it_is_hidden()
    {
        await Browser.PreloadAsync("""
            () => {
              const [original, streams] = [fetch, []];
              window.fetch = (path, options) => {
                if (path.endsWith("/live")) streams.push(options.signal);
                return original(path, options);
              };
              window.streams = streams;
              window.hide = (hidden) => {
                Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
                document.dispatchEvent(new Event("visibilitychange"));
              };
            }
            """);
        await Browser.NavigateAsync(Dashboard());
        await Browser.WaitUntilAsync($"{Headline}.includes('All is well')");

        await Browser.EvaluateAsync("void hide(true)");
        await Browser.WaitUntilAsync("streams.length === 1 && streams[0].aborted");

        await Browser.EvaluateAsync("void hide(false)");
        await Browser.WaitUntilAsync("streams.length === 2 && !streams[1].aborted");
        Assert.Null(await Browser.EvaluateAsync("document.querySelector('#live.stale')"));
    }

    private Uri Dashboard(string fragment = "") => new(Host.Url, $"/dashboard{fragment}");

    private async Task SeekAsync(string id)
    {
        await Browser.TypeAsync("#sought", id);
        await Browser.ClickAsync("#find-form button");
    }

    private async Task GiveAsync(string token)
    {
        await Browser.TypeAsync("#token", token);
        await Browser.ClickAsync("#access button");
    }

    private static string Token(string scope) => Tokens.Signed(token => token.Subject = Tokens.Claims(("sub", "operator"), ("scope", scope)));

    private Flowing Flow() => new(Host);

    // Events for ada and grace, one after the other, until it is disposed of.
    private sealed class Flowing : IAsyncDisposable
    {
        private readonly CancellationTokenSource _end = new();
        private readonly Task _posting;

        public Flowing(BrowserHost host) => _posting = PostAsync(host);

        private async Task PostAsync(BrowserHost host)
        {
            while (!_end.IsCancellationRequested)
            {
                await host.PostAsync(new MessagePosted { RecipientIds = ["ada", "grace"], Title = "Lunch at noon?" });
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, CancellationToken.None);
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _end.CancelAsync();
            await _posting;
            _end.Dispose();
        }
    }
}

public sealed class ChromiumDashboardTests() : DashboardTests(BrowserKind.Chromium);

public sealed class FirefoxDashboardTests() : DashboardTests(BrowserKind.Firefox);
