using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Json.Schema;
using Notify.Contracts;
using Notify.Fanout;
using Notify.Fuzz;
using Notify.Tests.Fanout;

namespace Notify.Tests.Contracts;

public sealed class SchemaTests
{
    private const string Id = "0191f6a2-0000-7000-8000-000000000001";

    private static readonly MessagePosted Good = new() { MessageId = Guid.Parse(Id), RecipientIds = ["ada"], Title = "Hello" };

    private static readonly JsonSchema Schema = JsonSchema.FromText(ContractSchemas.Render(typeof(MessagePosted)));

    // Each alone is allowed or a fault; in company they meet every rule.
    private static readonly Func<MessagePosted, MessagePosted>[] Changes =
    [
        .. Texts(256).SelectMany(text => new Func<MessagePosted, MessagePosted>[]
        {
            message => message with { ConversationId = text },
            message => message with { AuthorId = text },
            message => message with { Tag = text },
            message => message with { RecipientIds = ["bob", text!] },
            message => message with { Actions = [new NotificationAction(text!, "Open"), new NotificationAction("open", text!, "/rooms", "/icon.png")] },
        }),
        .. Texts(500).Select(text => (Func<MessagePosted, MessagePosted>)(message => message with { Title = text! })),
        .. Texts(100_000).Select(text => (Func<MessagePosted, MessagePosted>)(message => message with { Body = text })),
        .. Urls().SelectMany(url => new Func<MessagePosted, MessagePosted>[]
        {
            message => message with { Url = url },
            message => message with { Icon = url },
            message => message with { Image = url },
            message => message with { Actions = [new NotificationAction("open", "Open", url, url)] },
        }),
        .. new int?[] { null, int.MinValue, -1, 0, 1, 2_419_200, 2_419_201, int.MaxValue }.SelectMany(number => new Func<MessagePosted, MessagePosted>[]
        {
            message => message with { TtlSeconds = number },
            message => message with { AppBadge = number },
        }),
        .. new[] { null, "very-low", "low", "normal", "high", "", "High", "urgent" }.Select(urgency => (Func<MessagePosted, MessagePosted>)(message => message with { Urgency = urgency })),
        message => message with { Silent = true },
        message => message with { Renotify = true },
        message => message with { RequireInteraction = true },
        message => message with { PostedAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.FromHours(14)) },
        message => message with { Actions = [] },
        message => message with { RecipientIds = [] },
        message => message with { MessageId = Guid.Empty },
    ];

    public static TheoryData<string> Messages() => [.. ContractTypes.Published.Select(type => type.Name)];

    [Theory]
    [MemberData(nameof(Messages))]
    public void The_schema_is_what_record_comments_and_rules_say(string message)
    {
        var type = ContractTypes.Published.Single(type => type.Name == message);

        Approval.Check(ContractSchemas.Render(type), ContractSchemas.FileOf(type));
    }

    [Fact]
    public void Every_schema_is_of_a_message_or_the_envelope() => Assert.Equal(
        ContractTypes.Published.Select(type => $"{type.Name}.json").Append("MassTransitEnvelope.json").Order(StringComparer.Ordinal),
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "contracts", "schemas")).Select(Path.GetFileName).Order(StringComparer.Ordinal));

    [Fact]
    public void What_the_rules_accept_of_one_member_the_schema_accepts() => Assert.All(
        Changes.Select(change => change(Good)).Where(message => MessageRules.Check(message).Count == 0),
        message => Assert.True(IsValid(message), string.Concat(JsonSerializer.Serialize(message, ContractSchemas.CamelCase).Take(500))));

    [Property(MaxTest = 500)]
    public Property What_the_rules_accept_the_schema_accepts() => Prop.ForAll(
        Gen.Elements(Changes).ListOf(4).ToArbitrary(),
        changes =>
        {
            var message = changes.Aggregate(Good, (changed, change) => change(changed));
            return (MessageRules.Check(message).Count > 0 || IsValid(message)).Label(string.Concat(JsonSerializer.Serialize(message, ContractSchemas.CamelCase).Take(300)));
        });

    [Fact]
    public void What_the_rules_refuse_for_one_member_the_schema_refuses_unless_none_could_tell()
    {
        var missed = Changes.Select(change => change(Good)).Concat(MessageRulesTests.Faults().Select(row => row.Data.Item2))
            .Where(message => MessageRules.Check(message).Count > 0 && IsValid(message))
            .ToList();

        Assert.NotEmpty(missed);
        Assert.All(missed, message => Assert.True(NoSchemaCouldTell(message), JsonSerializer.Serialize(message, ContractSchemas.CamelCase)));
    }

    [Fact]
    public void What_may_be_absent_may_be_null()
    {
        var members = typeof(MessagePosted).GetProperties().Select(property => ContractTypes.CamelCase(property.Name)).Except(["messageId", "recipientIds", "title"]);
        var json = $$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello",{{string.Join(',', members.Select(member => $"\"{member}\":null"))}}}""";

        Assert.True(IsValid(json), json);
        Assert.Empty(MessageRules.Check(PlainJsonTarget.Read(Encoding.UTF8.GetBytes(json))!));
    }

    [Theory]
    [InlineData("60.0")]
    [InlineData("6e1")]
    public void A_whole_number_is_one_however_it_is_written(string number)
    {
        var json = $$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","ttlSeconds":{{number}},"appBadge":{{number}}}""";

        Assert.True(IsValid(json), json);
        var message = PlainJsonTarget.Read(Encoding.UTF8.GetBytes(json))!;
        Assert.Equal((60, 60), (message.TtlSeconds, message.AppBadge));
    }

    [Theory]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","ttlSeconds":1e400}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","ttlSeconds":4294967296}""")]
    [InlineData($$"""{"recipientIds":["ada"],"title":"no id"}""")]
    [InlineData($$"""{"messageId":"{{Id}}","title":"nobody"}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"]}""")]
    [InlineData($$"""{"messageId":"no uuid","recipientIds":["ada"],"title":"Hello"}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":"ada","title":"no list"}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":5}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","silent":"yes"}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","ttlSeconds":1.5}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","postedAt":"yesterday"}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","postedAt":"2026-01-02T03:04:05"}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","postedAt":"2026-01-02"}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","actions":[{"action":"open"}]}""")]
    [InlineData($$"""{"messageId":"{{Id}}","recipientIds":["ada"],"title":"Hello","actions":{ } }""")]
    [InlineData("null")]
    [InlineData("[]")]
    public void What_cannot_be_read_or_is_refused_the_schema_refuses(string json)
    {
        Assert.False(PlainJsonTarget.Read(Encoding.UTF8.GetBytes(json)) is { } message && MessageRules.Check(message).Count == 0);
        Assert.False(IsValid(json));
    }

    private static bool IsValid(MessagePosted message) => IsValid(JsonSerializer.Serialize(message, ContractSchemas.CamelCase));

    private static bool IsValid(string json)
    {
        using var document = JsonDocument.Parse(json);
        return Schema.Evaluate(document.RootElement, new EvaluationOptions { RequireFormatValidation = true }).IsValid;
    }

    // What the whole comes to in bytes, half a surrogate pair, lengths that JSON Schema counts in code points, and whether what begins like a URL is one.
    private static bool NoSchemaCouldTell(MessagePosted message) =>
        !PushPayload.Fits(message)
        || message.RecipientIds.Contains("\ud800x")
        || message.Actions?.Select(action => action?.Action).Distinct().Count() < message.Actions?.Count
        || JsonSerializer.Serialize(message, ContractSchemas.CamelCase).Contains(@"\uD83E\uDD85\uD83E\uDD85", StringComparison.Ordinal)
        || new[] { message.Url, message.Icon, message.Image, message.Actions?[0]?.Url }.Any(url => url is "http://[" or "https://");

    private static IEnumerable<string?> Texts(int bound) =>
    [
        null, "", " ", "\u3000", "\ufeff", "x", " x", "x ", "x\u00a0", "x y", "x\ny", "x\n", "x\u0085", "a\0b", "\ud800x", "🦅", "Zażółć",
        new string('x', bound), new string('x', bound + 1), string.Concat(Enumerable.Repeat("🦅", bound / 2)), string.Concat(Enumerable.Repeat("🦅", (bound / 2) + 1)),
    ];

    private static IEnumerable<string?> Urls() =>
    [
        null, "", "/", "//evil.example", "/\\evil.example", "/rooms/1", "/\t/evil.example", "/a\n", "rooms/1", "javascript:alert(1)", "data:image/png;base64,AAAA", "ftp://example.com/a.png",
        "https://example.com/", " https://example.com/", "HTTPS://EXAMPLE.COM", "http:example.com", "http:/example.com", "http:/\\example.com", @"http:\\example.com", "http://[", "https://", "https://münchen.example/ä?b#c",
        "/" + new string('a', 1_999), "/" + new string('a', 2_000), "https://example.com/" + new string('a', 1_980), "https://example.com/" + new string('a', 1_981),
    ];
}
