using Notify.Contracts;
using Notify.Fanout;

namespace Notify.Tests.Fanout;

public sealed class MessageRulesTests
{
    private static readonly MessagePosted Good = new() { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "Hello" };

    public static TheoryData<string, MessagePosted> Faults() => new()
    {
        { "messageId", Good with { MessageId = Guid.Empty } },
        { "recipientIds", Good with { RecipientIds = [] } },
        { "recipientIds", Good with { RecipientIds = null! } },
        { "recipientIds", Good with { RecipientIds = [""] } },
        { "recipientIds", Good with { RecipientIds = [null!] } },
        { "recipientIds", Good with { RecipientIds = [new string('x', 257)] } },
        { "recipientIds", Good with { RecipientIds = [.. Enumerable.Range(0, 50_001).Select(i => $"u{i}")] } },
        { "title", Good with { Title = " " } },
        { "title", Good with { Title = null! } },
        { "title", Good with { Title = new string('x', 501) } },
        { "body", Good with { Body = new string('x', 100_001) } },
        { "tag", Good with { Tag = new string('x', 257) } },
        { "conversationId", Good with { ConversationId = new string('x', 257) } },
        { "url", Good with { Url = "javascript:alert(1)" } },
        { "url", Good with { Url = "//evil.example" } },
        { "url", Good with { Url = "/\\evil.example" } },
        { "url", Good with { Url = "rooms/1" } },
        { "url", Good with { Url = "/\t/evil.example" } },
        { "recipientIds", Good with { RecipientIds = ["a\0b"] } },
        { "icon", Good with { Icon = "data:image/png;base64,AAAA" } },
        { "image", Good with { Image = "ftp://example.com/a.png" } },
        { "actions", Good with { Actions = [new NotificationAction("", "Open")] } },
        { "actions", Good with { Actions = [null!] } },
        { "actions", Good with { Actions = [new NotificationAction("open", "Open"), new NotificationAction("open", "Open it")] } },
        { "authorId", Good with { AuthorId = "grace " } },
        { "actions", Good with { Actions = [new NotificationAction("open", "Open", "javascript:0")] } },
        { "urgency", Good with { Urgency = "urgent" } },
        { "ttlSeconds", Good with { TtlSeconds = -1 } },
        { "ttlSeconds", Good with { TtlSeconds = 2_419_201 } },
        { "title", Good with { Title = new string('ä', 500), Url = "/" + new string('a', 1_900), Icon = "/" + new string('b', 1_900) } },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_fault_is_named_by_its_member(string member, MessagePosted message) => Assert.Equal([member], MessageRules.Check(message).Keys);

    [Fact]
    public void An_event_with_everything_at_its_bound_has_no_fault() =>
        Assert.Empty(MessageRules.Check(Good with
        {
            RecipientIds = [.. Enumerable.Range(0, 50_000).Select(i => $"u{i}")],
            Title = new string('x', 500),
            Body = new string('x', 100_000),
            Url = "https://example.com/rooms/1",
            Icon = "/icon.png",
            Tag = new string('x', 256),
            Urgency = "very-low",
            TtlSeconds = 2_419_200,
            Actions = [new NotificationAction("open", "Open", "/rooms/1")],
        }));

    [Fact]
    public void The_exception_names_every_fault()
    {
        var thrown = Assert.Throws<InvalidMessageException>(() => MessageRules.ThrowIfInvalid(new MessagePosted { Urgency = "x" }));

        Assert.All(["messageId", "recipientIds", "title", "urgency"], member => Assert.Contains(member + ":", thrown.Message, StringComparison.Ordinal));
    }
}
