using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Notify.Messaging;
using Notify.Tests.Subscriptions;

namespace Notify.Tests.Fanout;

public sealed class MessagesApiTests(SharedService shared) : IClassFixture<SharedService>
{
    private const string Id = "0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3";

    private readonly NotifyService _service = shared.Service;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, string, string> BadBodies() => new()
    {
        { "empty", "", "parse_error" },
        { "not JSON", "{", "parse_error" },
        { "null", "null", "parse_error" },
        { "an array", "[]", "parse_error" },
        { "messageId no UUID", """{"messageId":"x","recipientIds":["ada"],"title":"t"}""", "parse_error" },
        { "recipientIds of a wrong type", $$"""{"messageId":"{{Id}}","recipientIds":"ada","title":"t"}""", "parse_error" },
        { "a recipient of a wrong type", $$"""{"messageId":"{{Id}}","recipientIds":[1],"title":"t"}""", "parse_error" },
        { "half a surrogate pair", $$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"\ud800"}""", "parse_error" },
        { "ttlSeconds of a wrong type", $$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"t","ttlSeconds":"1"}""", "parse_error" },
        { "recipientIds twice", $$"""{"messageId":"{{Id}}","recipientIds":["a"],"recipientIds":["b"],"title":"t"}""", "parse_error" },
        { "nothing in it", "{}", "invalid_message" },
        { "no messageId", """{"recipientIds":["ada"],"title":"t"}""", "invalid_message" },
        { "no recipients", $$"""{"messageId":"{{Id}}","recipientIds":[],"title":"t"}""", "invalid_message" },
        { "null recipients", $$"""{"messageId":"{{Id}}","recipientIds":null,"title":"t"}""", "invalid_message" },
        { "100,000 recipients", $$"""{"messageId":"{{Id}}","recipientIds":[{{string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"\"u{i}\""))}}],"title":"t"}""", "invalid_message" },
        { "no title", $$"""{"messageId":"{{Id}}","recipientIds":["ada"]}""", "invalid_message" },
        { "a title of 1 MiB", $$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"{{new string('x', 1024 * 1024)}}"}""", "invalid_message" },
        { "an unknown urgency", $$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"t","urgency":"urgent"}""", "invalid_message" },
        { "a script for a URL", $$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"t","url":"javascript:alert(1)"}""", "invalid_message" },
    };

    [Fact]
    public async Task Large_ones_have_their_places_before_they_are_read_and_small_ones_need_none()
    {
        var rest = new TaskCompletionSource();
        using var http = _service.ClientOf("publisher");
        var body = Encoding.UTF8.GetBytes($$"""{"messageId":"{{Guid.NewGuid()}}","recipientIds":["nobody"],"title":"t","body":"{{new string(' ', 200_000)}}"}""");
        var posted = Enumerable.Range(0, LargeMessages.MostAtOnce).Select(_ => http.PostAsync("api/messages", new InTwoParts(body, rest.Task), Cancellation)).ToList();
        await Eventually.TrueAsync(() => LargeMessages.OverHttp.CurrentCount == 0);

        // Nor does one that does not say how long it is.
        using var small = await http.PostAsJsonAsync("api/messages", new { messageId = Guid.NewGuid(), recipientIds = new[] { "nobody" }, title = "t" }, Cancellation);
        Assert.Equal((HttpStatusCode.Accepted, 0), (small.StatusCode, LargeMessages.OverHttp.CurrentCount));
        rest.SetResult();

        foreach (var answer in await Task.WhenAll(posted))
        {
            await SubscriptionsApiTests.AssertProblemAsync(answer, 400, "invalid_message");
        }

        await Eventually.TrueAsync(() => LargeMessages.OverHttp.CurrentCount == LargeMessages.MostAtOnce);
    }

    [Theory]
    [MemberData(nameof(BadBodies))]
    public async Task A_bad_message_is_refused_by_name(string what, string body, string code)
    {
        Assert.NotEmpty(what);
        using var http = _service.ClientOf("publisher");
        using var response = await http.PostAsync("api/messages", new StringContent(body, Encoding.UTF8, "application/json"), Cancellation);

        await SubscriptionsApiTests.AssertProblemAsync(response, 400, code);
    }

    [Fact]
    public async Task Over_16_mebibytes_a_message_is_too_large()
    {
        using var http = _service.ClientOf("publisher");
        using var response = await http.PostAsync("api/messages", new StringContent(new string(' ', (16 * 1024 * 1024) + 1), Encoding.UTF8, "application/json"), Cancellation);

        await SubscriptionsApiTests.AssertProblemAsync(response, 413, "too_large");
    }

    [Fact]
    public async Task Unknown_recipients_are_taken_and_come_to_nothing()
    {
        var id = Guid.CreateVersion7();
        using var http = _service.ClientOf("publisher");
        using var response = await http.PostAsJsonAsync("api/messages", new { messageId = id, recipientIds = new[] { "nobody-knows" }, title = "t", requireInteraction = (bool?)null, unknownMember = 1 }, Cancellation);

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Empty(await _service.DeliveriesAsync(id));
    }

    [Fact]
    public async Task The_faults_are_listed_by_member()
    {
        using var http = _service.ClientOf("publisher");
        using var response = await http.PostAsJsonAsync("api/messages", new { recipientIds = Array.Empty<string>() }, Cancellation);

        var errors = (await response.Content.ReadFromJsonAsync<JsonElement>(Cancellation)).GetProperty("errors");
        Assert.Equal(["messageId", "recipientIds", "title"], errors.EnumerateObject().Select(error => error.Name).Order());
    }

    [Theory]
    [InlineData("GET", "/nowhere", 404, "not_found")]
    [InlineData("PUT", "/api/messages", 405, "method_not_allowed")]
    [InlineData("GET", "/api/messages/x/deliveries", 404, "not_found")]
    public async Task What_is_not_there_is_a_problem_too(string method, string path, int status, string code)
    {
        using var http = _service.ClientOf("publisher");
        using var response = await http.SendAsync(new HttpRequestMessage(new HttpMethod(method), path), Cancellation);

        await SubscriptionsApiTests.AssertProblemAsync(response, status, code);
    }

    [Fact]
    public async Task Another_content_type_is_refused()
    {
        using var http = _service.ClientOf("publisher");
        using var response = await http.PostAsync("api/messages", new StringContent("{}", Encoding.UTF8, "text/plain"), Cancellation);

        await SubscriptionsApiTests.AssertProblemAsync(response, 415, "unsupported_media_type");
    }

    private sealed class InTwoParts : HttpContent
    {
        private readonly byte[] _body;
        private readonly Task _rest;

        public InTwoParts(byte[] body, Task rest)
        {
            (_body, _rest) = (body, rest);
            Headers.ContentType = new("application/json");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(_body.AsMemory(0, 1000), Cancellation);
            await stream.FlushAsync(Cancellation);
            await _rest;
            await stream.WriteAsync(_body.AsMemory(1000), Cancellation);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = _body.Length;
            return true;
        }
    }
}
