using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.Tests.Store;
using Notify.WebPush;

namespace Notify.Tests.Subscriptions;

/// <summary>One service for all: no test depends on what another left.</summary>
public sealed class SharedService : IAsyncLifetime
{
    public NotifyService Service { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Service = await NotifyService.StartAsync("--Notify:Subscriptions:MaxPerUser=5");

    public ValueTask DisposeAsync() => Service.DisposeAsync();
}

public sealed class SubscriptionsApiTests(SharedService shared) : IClassFixture<SharedService>
{
    private const string Endpoint = "https://fcm.googleapis.com/fcm/send/abc";
    private const string Key = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    private const string Auth = "BTBZMqHH6r4Tts7J_aSIgg";

    private readonly NotifyService _service = shared.Service;
    private readonly string _user = $"user-{Guid.NewGuid():N}";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, int, string> BadBodies() => new()
    {
        { "empty", "", 400, "parse_error" },
        { "not JSON", "{", 400, "parse_error" },
        { "null", "null", 400, "parse_error" },
        { "an array", "[]", 400, "parse_error" },
        { "a string", "\"x\"", 400, "parse_error" },
        { "nothing in it", "{}", 400, "parse_error" },
        { "not UTF-8", "\u00ff\u00fe", 400, "parse_error" },
        { "no keys", Body(keys: null), 400, "parse_error" },
        { "keys of a wrong type", Body(keys: "[]"), 400, "parse_error" },
        { "no auth", Body(keys: $$"""{"p256dh":"{{Key}}"}"""), 400, "parse_error" },
        { "auth of a wrong type", Body(keys: $$"""{"p256dh":"{{Key}}","auth":7}"""), 400, "parse_error" },
        { "endpoint of a wrong type", Body(endpoint: "7"), 400, "parse_error" },
        { "endpoint missing", """{"keys":{"p256dh":"x","auth":"x"}}""", 400, "parse_error" },
        { "endpoint no URL", Body(endpoint: "\"nowhere\""), 400, "parse_error" },
        { "fragment in the endpoint", Body(endpoint: "\"https://fcm.googleapis.com/x#y\""), 400, "parse_error" },
        { "replaces of a wrong type", $$"""{"endpoint":"{{Endpoint}}","keys":{"p256dh":"{{Key}}","auth":"{{Auth}}"},"replaces":7}""", 400, "parse_error" },
        { "replaces half a surrogate pair", $$"""{"endpoint":"{{Endpoint}}","keys":{"p256dh":"{{Key}}","auth":"{{Auth}}"},"replaces":"\ud800"}""", 400, "parse_error" },
        { "replaces twice", $$"""{"endpoint":"{{Endpoint}}","keys":{"p256dh":"{{Key}}","auth":"{{Auth}}"},"replaces":"a","replaces":"b"}""", 400, "parse_error" },
        { "application server key of a wrong type", $$"""{"endpoint":"{{Endpoint}}","keys":{"p256dh":"{{Key}}","auth":"{{Auth}}"},"applicationServerKey":7}""", 400, "parse_error" },
        { "auth too short", Body(keys: Keys(auth: "BTBZMqHH6r4Tts7J_aSI")), 400, "invalid_keys" },
        { "p256dh too short", Body(keys: Keys(p256dh: Key[..80])), 400, "invalid_keys" },
        { "p256dh not a point", Body(keys: Keys(p256dh: "BB" + Key[2..])), 400, "invalid_keys" },
        { "p256dh not base64url", Body(keys: Keys(p256dh: Key[..^1] + "!")), 400, "invalid_keys" },
        { "user info in the endpoint", Body(endpoint: "\"https://user:pw@fcm.googleapis.com/x\""), 400, "endpoint_not_allowed" },
        { "another scheme", Body(endpoint: "\"ftp://fcm.googleapis.com/x\""), 400, "endpoint_not_allowed" },
        { "a file", Body(endpoint: "\"file:///etc/passwd\""), 400, "endpoint_not_allowed" },
        { "a web socket", Body(endpoint: "\"wss://fcm.googleapis.com/x\""), 400, "endpoint_not_allowed" },
        { "data", Body(endpoint: "\"data:text/plain,x\""), 400, "endpoint_not_allowed" },
        { "a path", Body(endpoint: "\"/fcm/send/x\""), 400, "parse_error" },
        { "http", Body(endpoint: "\"http://fcm.googleapis.com/x\""), 400, "endpoint_not_allowed" },
        { "unknown host", Body(endpoint: "\"https://push.example.com/x\""), 400, "endpoint_not_allowed" },
        { "private address", Body(endpoint: "\"https://10.0.0.1/x\""), 400, "endpoint_not_allowed" },
        { "loopback", Body(endpoint: "\"https://[::1]/x\""), 400, "endpoint_not_allowed" },
        { "metadata address", Body(endpoint: "\"http://169.254.169.254/latest\""), 400, "endpoint_not_allowed" },
        { "another port", Body(endpoint: "\"https://fcm.googleapis.com:8443/x\""), 400, "endpoint_not_allowed" },
        { "dead on arrival", Body(endpoint: "\"https://permanently-removed.invalid/fcm/send/x\""), 400, "endpoint_not_allowed" },
        { "as deep as 8 KiB can be", new string('[', 8 * 1024), 400, "parse_error" },
        { "deep in a member that nobody asks for", Body()[..^1] + $",\"deep\":{new string('[', 3000)}{new string(']', 3000)}}}", 400, "parse_error" },
        { "endpoint twice", $$"""{"endpoint":"{{Endpoint}}","endpoint":"https://10.0.0.1/","keys":{{Keys()}}}""", 400, "parse_error" },
        { "keys twice", $$"""{"endpoint":"{{Endpoint}}","keys":{{Keys()}},"keys":{{Keys()}}}""", 400, "parse_error" },
        { "endpoint twice by an escape", $$"""{"endpoint":"{{Endpoint}}","endp\u006fint":"https://10.0.0.1/","keys":{{Keys()}}}""", 400, "parse_error" },
        { "an escaped dot in the host", Body(endpoint: "\"https://fcm%2egoogleapis.com/x\""), 400, "parse_error" },
        { "an escaped slash in the host", Body(endpoint: "\"https://evil.example%2f.push.apple.com/x\""), 400, "parse_error" },
        { "an escaped fragment in the host", Body(endpoint: "\"https://evil.example%23.push.apple.com/x\""), 400, "parse_error" },
        { "a backslash in the host", Body(endpoint: "\"https://evil.example\\\\.push.apple.com/x\""), 400, "parse_error" },
        { "an empty label", Body(endpoint: "\"https://.push.apple.com/x\""), 400, "parse_error" },
        { "a host and port as user info", Body(endpoint: "\"https://web.push.apple.com:443@evil.example/x\""), 400, "endpoint_not_allowed" },
        { "a trailing dot", Body(endpoint: "\"https://web.push.apple.com./x\""), 400, "endpoint_not_allowed" },
        { "a suffix without its dot", Body(endpoint: "\"https://notpush.apple.com/x\""), 400, "endpoint_not_allowed" },
        { "an address as one number", Body(endpoint: "\"https://2130706433/x\""), 400, "endpoint_not_allowed" },
        { "an octal address", Body(endpoint: "\"https://0177.0.0.1/x\""), 400, "endpoint_not_allowed" },
        { "a hexadecimal address", Body(endpoint: "\"https://0x7f000001/x\""), 400, "endpoint_not_allowed" },
        { "a host that is no punycode", Body(endpoint: "\"https://xn--a.example/x\""), 400, "endpoint_not_allowed" },
        { "NUL in the endpoint", Body(endpoint: "\"https://fcm.googleapis.com/\\u0000\""), 400, "parse_error" },
        { "a number without end", $$"""{"endpoint":"{{Endpoint}}","expirationTime":1e999,"keys":{{Keys()}}}""", 400, "parse_error" },
        { "a comment", $$"""{"endpoint":"{{Endpoint}}",/**/"keys":{{Keys()}}}""", 400, "parse_error" },
        { "over 8 KiB", Body(extra: new string('x', 8 * 1024)), 413, "too_large" },
        { "1 MiB", Body(extra: new string('x', 1024 * 1024)), 413, "too_large" },
    };

    [Theory]
    [MemberData(nameof(BadBodies))]
    public async Task A_bad_registration_is_refused_by_name(string what, string body, int status, string code)
    {
        using var http = _service.ClientOf(_user);
        using var content = new ByteArrayContent(what == "not UTF-8" ? Encoding.Latin1.GetBytes(body) : Encoding.UTF8.GetBytes(body));
        content.Headers.ContentType = new("application/json");

        using var response = await http.PostAsync("api/subscriptions", content, Cancellation);

        await AssertProblemAsync(response, status, code);
    }

    [Fact]
    public async Task A_body_of_unknown_length_is_read_no_further_than_the_bound()
    {
        using var http = _service.ClientOf(_user);
        using var content = new StreamContent(new MemoryStream(Encoding.UTF8.GetBytes(Body(extra: new string('x', 200_000)))));
        content.Headers.ContentType = new("application/json");
        http.DefaultRequestHeaders.TransferEncodingChunked = true;

        using var response = await http.PostAsync("api/subscriptions", content, Cancellation);

        await AssertProblemAsync(response, 413, "too_large");
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data; boundary=x")]
    [InlineData("application/xml")]
    [InlineData("nonsense")]
    public async Task Another_content_type_is_refused(string contentType)
    {
        using var http = _service.ClientOf(_user);
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(Json(NewEndpoint())));
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);

        using var response = await http.PostAsync("api/subscriptions", content, Cancellation);

        await AssertProblemAsync(response, 415, "unsupported_media_type");
    }

    [Theory]
    [InlineData("X-Long", 40_000, 431)]
    [InlineData("User-Agent", 20_000, 200)]
    [InlineData("Authorization", 20_000, 401)]
    public async Task Huge_headers_are_refused_or_cut_and_never_a_fault(string header, int length, int status)
    {
        using var http = _service.ClientOf(_user);
        http.DefaultRequestHeaders.TryAddWithoutValidation(header, new string('x', length));

        using var response = await http.GetAsync("api/subscriptions", Cancellation);

        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task Without_a_user_nothing_is_answered_but_the_public_key()
    {
        using var http = new HttpClient { BaseAddress = _service.Url };

        Assert.Equal(87, (await http.GetFromJsonAsync<JsonElement>("api/vapid-public-key", Cancellation)).GetProperty("publicKey").GetString()!.Length);
        foreach (var (method, path) in new[] { ("POST", "api/subscriptions"), ("GET", "api/subscriptions"), ("DELETE", $"api/subscriptions/{Guid.NewGuid()}"), ("POST", "api/messages"), ("GET", $"api/messages/{Guid.NewGuid()}/deliveries") })
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = method == "POST" ? JsonContent.Create(new { }) : null };
            using var response = await http.SendAsync(request, Cancellation);
            await AssertProblemAsync(response, 401, "unauthenticated");
        }
    }

    [Theory]
    [InlineData("Origin", "https://evil.example")]
    [InlineData("Origin", "null")]
    [InlineData("Host", "evil.example")]
    [InlineData("X-Forwarded-For", "203.0.113.7")]
    [InlineData("Forwarded", "for=203.0.113.7")]
    [InlineData("X-Real-IP", "203.0.113.7")]
    [InlineData("Via", "1.1 proxy")]
    public async Task The_development_user_does_not_count_for_a_page_from_elsewhere(string header, string value)
    {
        using var http = _service.ClientOf(_user);
        http.DefaultRequestHeaders.TryAddWithoutValidation(header, value);

        using var response = await http.GetAsync("api/subscriptions", Cancellation);

        await AssertProblemAsync(response, 401, "unauthenticated");
    }

    [Fact]
    public async Task The_development_user_does_not_count_for_another_machine()
    {
        await using var service = await NotifyService.StartAsync("--urls=http://0.0.0.0:0");
        var address = Array.Find(await Dns.GetHostAddressesAsync(Dns.GetHostName(), System.Net.Sockets.AddressFamily.InterNetwork, Cancellation), address => !IPAddress.IsLoopback(address));
        Assert.SkipWhen(address is null, "This machine has no address but loopback.");
        using var http = service.ClientOf(_user);
        http.BaseAddress = new Uri($"http://{address}:{service.Url.Port}/");
        http.DefaultRequestHeaders.Host = "localhost";

        using var response = await http.GetAsync("api/subscriptions", Cancellation);

        await AssertProblemAsync(response, 401, "unauthenticated");
    }

    [Fact]
    public async Task The_same_endpoint_again_refreshes_its_keys_and_moves_to_the_user_who_registers_it()
    {
        var endpoint = NewEndpoint();
        using var ada = _service.ClientOf(_user);
        using var grace = _service.ClientOf(_user + "-2");

        var first = await NotifyService.RegisterAsync(ada, Json(endpoint));
        var again = await NotifyService.RegisterAsync(ada, Json(endpoint));
        var moved = await NotifyService.RegisterAsync(grace, Json(endpoint));

        Assert.True(first.GetProperty("isNew").GetBoolean());
        Assert.False(again.GetProperty("isNew").GetBoolean());
        Assert.False(moved.GetProperty("isNew").GetBoolean());
        Assert.Equal(first.GetProperty("id").GetGuid(), moved.GetProperty("id").GetGuid());
        Assert.Empty((await ListAsync(ada)).EnumerateArray());
        Assert.Single((await ListAsync(grace)).EnumerateArray());
    }

    [Fact]
    public async Task One_endpoint_in_several_spellings_is_one_subscription()
    {
        var id = Guid.NewGuid().ToString("N");
        using var http = _service.ClientOf(_user);
        var first = await NotifyService.RegisterAsync(http, Json($"https://fcm.googleapis.com/fcm/send/{id}"));

        foreach (var spelling in new[] { $"https://fcm.googleapis.com:443/fcm/send/{id}", $"HTTPS://FCM.googleapis.com/fcm/send/{id}" })
        {
            Assert.Equal(first.GetProperty("id").GetGuid(), (await NotifyService.RegisterAsync(http, Json(spelling))).GetProperty("id").GetGuid());
        }

        using var removed = await http.DeleteAsync($"api/subscriptions?endpoint={Uri.EscapeDataString($"https://fcm.googleapis.com:443/fcm/send/{id}")}", Cancellation);
        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
    }

    [Fact]
    public async Task Status_codes_tell_new_from_known()
    {
        var body = Json(NewEndpoint());
        using var http = _service.ClientOf(_user);
        using var first = await http.PostAsync("api/subscriptions", new StringContent(body, Encoding.UTF8, "application/json"), Cancellation);
        using var second = await http.PostAsync("api/subscriptions", new StringContent(body, Encoding.UTF8, "application/json"), Cancellation);

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK), (first.StatusCode, second.StatusCode));
    }

    [Fact]
    public async Task One_endpoint_registered_by_many_at_once_ends_as_one_row_of_one_of_them()
    {
        var endpoint = NewEndpoint();
        var users = Enumerable.Range(0, 16).Select(i => $"{_user}-{i}").ToList();

        var answers = await Task.WhenAll(users.Select(async user =>
        {
            using var http = _service.ClientOf(user);
            return await NotifyService.RegisterAsync(http, Json(endpoint));
        }));

        Assert.Single(answers.Select(answer => answer.GetProperty("id").GetGuid()).Distinct());
        Assert.Single(answers, answer => answer.GetProperty("isNew").GetBoolean());
        var owned = 0;
        foreach (var user in users)
        {
            using var http = _service.ClientOf(user);
            owned += (await ListAsync(http)).GetArrayLength();
        }

        Assert.Equal(1, owned);
    }

    [Fact]
    public async Task One_subscription_more_than_allowed_is_refused_also_when_they_come_at_once()
    {
        using var http = _service.ClientOf(_user);

        var answers = await Task.WhenAll(Enumerable.Range(0, 9).Select(_ => http.PostAsync("api/subscriptions", new StringContent(Json(NewEndpoint()), Encoding.UTF8, "application/json"), Cancellation)));

        Assert.Equal(5, answers.Count(answer => answer.StatusCode == HttpStatusCode.Created));
        foreach (var refused in answers.Where(answer => answer.StatusCode != HttpStatusCode.Created))
        {
            await AssertProblemAsync(refused, 422, "too_many_subscriptions");
        }
    }

    [Fact]
    public async Task An_endpoint_that_moves_to_a_user_who_has_as_many_as_allowed_is_its_former_users_no_more()
    {
        var (former, endpoint) = ($"{_user}-before", NewEndpoint());
        using var before = _service.ClientOf(former);
        using var http = _service.ClientOf(_user);
        using var registered = await before.PostAsync("api/subscriptions", new StringContent(Json(endpoint), Encoding.UTF8, "application/json"), Cancellation);
        for (var i = 0; i < 5; i++)
        {
            using var own = await http.PostAsync("api/subscriptions", new StringContent(Json(NewEndpoint()), Encoding.UTF8, "application/json"), Cancellation);
        }

        using var refused = await http.PostAsync("api/subscriptions", new StringContent(Json(endpoint), Encoding.UTF8, "application/json"), Cancellation);

        await AssertProblemAsync(refused, 422, "too_many_subscriptions");
        Assert.Equal((0, 5), ((await ListAsync(before)).GetArrayLength(), (await ListAsync(http)).GetArrayLength()));
    }

    [Fact]
    public async Task A_subscription_that_replaces_another_takes_its_place_even_at_the_limit()
    {
        using var http = _service.ClientOf(_user);
        var endpoints = Enumerable.Range(0, 5).Select(_ => NewEndpoint()).ToList();
        foreach (var endpoint in endpoints)
        {
            await NotifyService.RegisterAsync(http, Json(endpoint));
        }

        var replacing = await NotifyService.RegisterAsync(http, Json(NewEndpoint(), replaces: endpoints[2]));

        Assert.True(replacing.GetProperty("isNew").GetBoolean());
        Assert.Equal(5, (await ListAsync(http)).GetArrayLength());
        using var gone = await http.DeleteAsync($"api/subscriptions?endpoint={Uri.EscapeDataString(endpoints[2])}", Cancellation);
        await AssertProblemAsync(gone, 404, "not_found");
    }

    [Fact]
    public async Task A_subscription_that_is_said_to_replace_itself_stays()
    {
        using var http = _service.ClientOf(_user);
        var endpoint = NewEndpoint();
        await NotifyService.RegisterAsync(http, Json(endpoint));

        var again = await NotifyService.RegisterAsync(http, Json(endpoint, replaces: endpoint));

        Assert.False(again.GetProperty("isNew").GetBoolean());
        Assert.Equal(1, (await ListAsync(http)).GetArrayLength());
    }

    [Fact]
    public async Task Nobody_replaces_or_removes_what_is_anothers()
    {
        var endpoint = NewEndpoint();
        using var ada = _service.ClientOf(_user);
        using var mallory = _service.ClientOf(_user + "-mallory");
        var id = (await NotifyService.RegisterAsync(ada, Json(endpoint))).GetProperty("id").GetGuid();

        await NotifyService.RegisterAsync(mallory, Json(NewEndpoint(), replaces: endpoint));
        using var byId = await mallory.DeleteAsync($"api/subscriptions/{id}", Cancellation);
        using var byEndpoint = await mallory.DeleteAsync($"api/subscriptions?endpoint={Uri.EscapeDataString(endpoint)}", Cancellation);

        await AssertProblemAsync(byId, 404, "not_found");
        await AssertProblemAsync(byEndpoint, 404, "not_found");
        Assert.Single((await ListAsync(ada)).EnumerateArray());
    }

    [Fact]
    public async Task A_list_shows_neither_endpoint_nor_keys()
    {
        using var http = _service.ClientOf(_user);
        http.DefaultRequestHeaders.UserAgent.ParseAdd("Test/1.0");
        await NotifyService.RegisterAsync(http, Json(NewEndpoint()));

        var row = (await ListAsync(http)).EnumerateArray().Single();

        Assert.Equal(["createdAt", "id", "lastAcceptedAt", "pushService", "userAgent"], row.EnumerateObject().Select(member => member.Name).Order());
        Assert.Equal("fcm.googleapis.com", row.GetProperty("pushService").GetString());
        Assert.Equal("Test/1.0", row.GetProperty("userAgent").GetString());
    }

    [Theory]
    [InlineData("api/subscriptions", 400, "parse_error")]
    [InlineData("api/subscriptions?endpoint=", 400, "parse_error")]
    [InlineData("api/subscriptions?endpoint=https%3A%2F%2Fnowhere.example%2F", 404, "not_found")]
    [InlineData("api/subscriptions/not-an-id", 404, "not_found")]
    public async Task A_removal_that_names_nothing_is_refused(string path, int status, string code)
    {
        using var http = _service.ClientOf(_user);
        using var response = await http.DeleteAsync(path, Cancellation);

        await AssertProblemAsync(response, status, code);
    }

    [Fact]
    public async Task Changes_are_published()
    {
        var seen = new System.Collections.Concurrent.ConcurrentQueue<object>();
        var conversations = new System.Collections.Concurrent.ConcurrentQueue<Guid?>();
        var bus = _service.Services.GetRequiredService<IBusControl>();
        var handle = bus.ConnectReceiveEndpoint($"seen-{_user}", endpoint =>
        {
            endpoint.ConcurrentMessageLimit = 1;
            endpoint.Handler<SubscriptionRegistered>(context => SeeAsync(context, context.Message.UserId));
            endpoint.Handler<SubscriptionRemoved>(context => SeeAsync(context, context.Message.UserId));
        });
        await handle.Ready;
        var endpoint = NewEndpoint();
        using var ada = _service.ClientOf(_user);
        using var grace = _service.ClientOf(_user + "-2");

        var json = Json(endpoint);
        var id = (await NotifyService.RegisterAsync(ada, json)).GetProperty("id").GetGuid();
        await NotifyService.RegisterAsync(ada, json);
        await NotifyService.RegisterAsync(ada, Json(endpoint));
        await NotifyService.RegisterAsync(grace, Json(endpoint));
        (await grace.DeleteAsync($"api/subscriptions/{id}", Cancellation)).EnsureSuccessStatusCode();

        // The second registration changed nothing; the third brought other keys.
        await Eventually.TrueAsync(() => seen.Count == 5);
        Assert.Equal(
            [new SubscriptionRegistered(id, _user), new SubscriptionRegistered(id, _user), new SubscriptionRemoved(id, _user), new SubscriptionRegistered(id, _user + "-2"), new SubscriptionRemoved(id, _user + "-2")],
            seen);

        // By which the outbox keeps them in their order.
        Assert.All(conversations, conversation => Assert.Equal(id, conversation));
        await handle.StopAsync(Cancellation);

        Task SeeAsync<T>(ConsumeContext<T> context, string userId)
            where T : class
        {
            if (userId.StartsWith(_user, StringComparison.Ordinal))
            {
                seen.Enqueue(context.Message);
                conversations.Enqueue(context.ConversationId);
            }

            return Task.CompletedTask;
        }
    }

    internal static async Task AssertProblemAsync(HttpResponseMessage response, int status, string code)
    {
        var text = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True(status == (int)response.StatusCode, $"{(int)response.StatusCode}: {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal(code, problem.GetProperty("code").GetString());
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.DoesNotContain("Exception", text, StringComparison.Ordinal);
    }

    private static string NewEndpoint() => $"https://fcm.googleapis.com/fcm/send/{Guid.NewGuid():N}";

    private static string Json(string endpoint, string? replaces = null)
    {
        PushSubscription push = TestStore.NewPushSubscription(endpoint);
        return JsonSerializer.Serialize(new { endpoint, expirationTime = (double?)null, keys = new { p256dh = push.P256dh, auth = push.Auth }, replaces });
    }

    private static Task<JsonElement> ListAsync(HttpClient http) => http.GetFromJsonAsync<JsonElement>("api/subscriptions", Cancellation);

    private static string Keys(string p256dh = Key, string auth = Auth) => $$"""{"p256dh":"{{p256dh}}","auth":"{{auth}}"}""";

    private static string Body(string endpoint = $"\"{Endpoint}\"", string? keys = $$"""{"p256dh":"{{Key}}","auth":"{{Auth}}"}""", string extra = "") =>
        keys is null ? $$"""{"endpoint":{{endpoint}}}""" : $$"""{"endpoint":{{endpoint}},"expirationTime":null,"keys":{{keys}},"extra":"{{extra}}"}""";
}
