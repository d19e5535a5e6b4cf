using System.Text;
using System.Text.Json;
using Notify.Contracts;
using Notify.Fanout;
using Notify.WebPush;

namespace Notify.Tests.Fanout;

public sealed class PushPayloadTests
{
    private static readonly MessagePosted Message = new() { MessageId = Guid.NewGuid(), RecipientIds = ["ada"], Title = "Hello" };

    [Fact]
    public void It_is_a_declarative_push_message()
    {
        var payload = Parse(Message with { Body = "Größe 🎉", Url = "/rooms/1", Tag = "room-1", ConversationId = "room", Actions = [new("open", "Open", "/x")], PostedAt = DateTimeOffset.UnixEpoch });

        Assert.Equal(8030, payload.GetProperty("web_push").GetInt32());
        var notification = payload.GetProperty("notification");
        Assert.Equal("Hello", notification.GetProperty("title").GetString());
        Assert.Equal("Größe 🎉", notification.GetProperty("body").GetString());
        Assert.Equal("/rooms/1", notification.GetProperty("navigate").GetString());
        Assert.Equal("room-1", notification.GetProperty("tag").GetString());
        Assert.Equal(0, notification.GetProperty("timestamp").GetInt64());
        Assert.Equal("/x", notification.GetProperty("actions")[0].GetProperty("navigate").GetString());
        Assert.Equal(Message.MessageId, notification.GetProperty("data").GetProperty("messageId").GetGuid());
        Assert.Equal("room", notification.GetProperty("data").GetProperty("conversationId").GetString());
    }

    [Fact]
    public void Without_a_tag_the_message_id_is_the_tag() =>
        Assert.Equal(Message.MessageId.ToString(), Parse(Message).GetProperty("notification").GetProperty("tag").GetString());

    [Theory]
    [InlineData("a")]
    [InlineData("ä")]
    [InlineData("🎉")]
    [InlineData("\"")]
    [InlineData("\u0001")]
    public void A_long_body_is_cut_between_characters_so_that_it_just_fits(string character)
    {
        var payload = PushPayload.Render(Message with { Body = string.Concat(Enumerable.Repeat(character, 20_000)) });

        Assert.InRange(Encoding.UTF8.GetByteCount(payload), PushMessage.MaxContentLength - 12, PushMessage.MaxContentLength);
        var body = JsonDocument.Parse(payload).RootElement.GetProperty("notification").GetProperty("body").GetString()!;
        Assert.EndsWith("…", body, StringComparison.Ordinal);
        Assert.Equal("", body[..^1].Replace(character, "", StringComparison.Ordinal));
    }

    [Fact]
    public void A_body_that_fits_is_left_alone() =>
        Assert.Equal(new string('x', 3_500), Parse(Message with { Body = new string('x', 3_500) }).GetProperty("notification").GetProperty("body").GetString());

    private static JsonElement Parse(MessagePosted message) => JsonDocument.Parse(PushPayload.Render(message)).RootElement;
}
