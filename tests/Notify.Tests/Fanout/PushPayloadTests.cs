using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Notify.Contracts;
using Notify.Deliveries;
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
    public void What_a_browser_shows_by_itself_leads_somewhere_though_the_event_names_no_url() =>
        Assert.Equal("./", Parse(Message).GetProperty("notification").GetProperty("navigate").GetString());

    [Fact]
    public void It_says_how_to_alert_and_what_number_the_icon_has_where_the_event_does()
    {
        var payload = Parse(Message with { Silent = true, AppBadge = 3 });

        Assert.Equal((3, "3"), (payload.GetProperty("app_badge").GetInt32(), payload.GetProperty("notification").GetProperty("app_badge").GetString()));
        Assert.True(payload.GetProperty("notification").GetProperty("silent").GetBoolean());
        Assert.True(Parse(Message with { Renotify = true }).GetProperty("notification").GetProperty("renotify").GetBoolean());
        Assert.False(Parse(Message).TryGetProperty("app_badge", out _));
    }

    [Theory]
    [InlineData("Hello")]
    [InlineData("""{"notification":{"data":{}}}""")]
    [InlineData("""{"notification":{"data":{"messageId":7}}}""")]
    public void A_payload_of_somebody_else_gets_no_receipt(string payload) => Assert.Equal(payload, PushPayload.WithReceipt(payload, "token"));

    [Fact]
    public void A_payload_gets_its_receipt_beside_the_message_id()
    {
        var payload = PushPayload.WithReceipt(PushPayload.Render(Message with { ConversationId = "a \"}}} room" }, DateTimeOffset.UnixEpoch), "token");

        var data = JsonDocument.Parse(payload).RootElement.GetProperty("notification").GetProperty("data");
        Assert.Equal(("token", "a \"}}} room", 0, Message.MessageId), (data.GetProperty("receipt").GetString(), data.GetProperty("conversationId").GetString(), data.GetProperty("publishedAt").GetInt64(), data.GetProperty("messageId").GetGuid()));
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
    [InlineData("🇩🇪")]
    [InlineData("👨‍👩‍👧‍👦")]
    [InlineData("👍🏽")]
    public void A_long_body_is_cut_between_characters_so_that_it_just_fits(string character)
    {
        var payload = PushPayload.Render(Message with { Body = string.Concat(Enumerable.Repeat(character, 20_000)) }, DateTimeOffset.UtcNow);

        Assert.InRange(Encoding.UTF8.GetByteCount(payload), PushPayload.MaxLength - 12 - Encoding.UTF8.GetByteCount(character), PushPayload.MaxLength);
        var body = JsonDocument.Parse(payload).RootElement.GetProperty("notification").GetProperty("body").GetString()!;
        Assert.EndsWith("…", body, StringComparison.Ordinal);
        Assert.Equal("", body[..^1].Replace(character, "", StringComparison.Ordinal));
    }

    [Fact]
    public void Of_marks_without_end_upon_one_letter_a_part_is_shown() =>
        Assert.InRange(Parse(Message with { Body = "e" + new string('\u0301', 20_000) }).GetProperty("notification").GetProperty("body").GetString()!.Length, 1_500, 2_000);

    [Theory]
    [InlineData("x", 3_500)]
    [InlineData("😀", 850)]
    [InlineData("𠮷", 850)]
    public void A_body_that_fits_is_left_alone(string character, int times)
    {
        var body = string.Concat(Enumerable.Repeat(character, times));

        Assert.Equal(body, Parse(Message with { Body = body }).GetProperty("notification").GetProperty("body").GetString());
    }

    [Theory]
    [InlineData("\ud83d")]
    [InlineData("\ude00x")]
    [InlineData("x\ud83d\ud83d\ude00")]
    public void Half_a_character_is_replaced(string half)
    {
        var body = Parse(Message with { Body = half }).GetProperty("notification").GetProperty("body").GetString()!;

        Assert.Equal(half.EnumerateRunes().Select(rune => rune.Value), body.EnumerateRunes().Select(rune => rune.Value));
    }

    [Fact]
    public void What_is_said_to_fit_leaves_room_for_its_receipt()
    {
        var token = new string('t', ReceiptTokens.Length);
        for (var length = 1_500; length < 2_000; length++)
        {
            var message = Message with { Body = "x", Url = "/" + new string('u', length), Icon = "/" + new string('i', 1_999 - 100), Title = "t" };
            if (!PushPayload.Fits(message))
            {
                Assert.InRange(length, 1_600, 1_999);
                return;
            }

            var payload = PushPayload.WithReceipt(PushPayload.Render(message, DateTimeOffset.UtcNow), token);
            Assert.Contains(token, payload, StringComparison.Ordinal);
            Assert.InRange(Encoding.UTF8.GetByteCount(payload), 0, PushMessage.MaxContentLength);
        }

        Assert.Fail("All of them fit.");
    }

    [Property(MaxTest = 300)]
    public Property A_body_of_any_characters_is_cut_between_them_so_that_it_fits() => Prop.ForAll(Texts(2_000, 4_500).ToArbitrary(), Texts(0, 120).ToArbitrary(), (body, title) =>
    {
        var message = Message with { Body = body, Title = title };
        Assert.True(PushPayload.Fits(message));

        var payload = PushPayload.Render(message, DateTimeOffset.UtcNow);

        var length = Encoding.UTF8.GetByteCount(payload);
        Assert.InRange(length, 0, PushPayload.MaxLength);
        var notification = JsonDocument.Parse(payload).RootElement.GetProperty("notification");
        Assert.Equal(title, notification.GetProperty("title").GetString());
        var shown = notification.GetProperty("body").GetString()!;
        if (shown != body)
        {
            Assert.EndsWith("…", shown, StringComparison.Ordinal);
            Assert.StartsWith(shown[..^1], body, StringComparison.Ordinal);
            Assert.DoesNotContain('\ufffd', shown);
        }
    });

    private static Gen<string> Texts(int shortest, int longest) =>
        Gen.Choose(shortest, longest).SelectMany(count => Gen.ArrayOf(Gen.Elements("a", "é", "漢", "🎉", "👩‍👩‍👧", "e\u0301", " ", "\n", "\"", "\\", "\u0001", "\u2028", "<"), count)).Select(string.Concat);

    private static JsonElement Parse(MessagePosted message) => JsonDocument.Parse(PushPayload.Render(message, publishedAt: null)).RootElement;
}
