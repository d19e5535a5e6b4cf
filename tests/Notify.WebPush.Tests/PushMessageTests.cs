namespace Notify.WebPush.Tests;

public class PushMessageTests
{
    [Fact]
    public void A_message_is_normal_and_without_topic_unless_said()
    {
        var message = new PushMessage("hello"u8.ToArray());

        Assert.Equal("hello"u8.ToArray(), message.Content.ToArray());
        Assert.Equal(TimeSpan.Zero, message.TimeToLive);
        Assert.Equal(PushUrgency.Normal, message.Urgency);
        Assert.Null(message.Topic);
    }

    [Fact]
    public void Content_of_3993_bytes_is_the_most()
    {
        Assert.Equal(3993, new PushMessage(new byte[3993]).Content.Length);
        Assert.Contains("3993", Assert.Throws<ArgumentException>(() => new PushMessage(new byte[3994])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_negative_time_to_live_is_refused() =>
        Assert.ThrowsAny<ArgumentException>(() => new PushMessage(default) { TimeToLive = TimeSpan.FromTicks(-1) });

    [Fact]
    public void An_urgency_without_name_is_refused() =>
        Assert.ThrowsAny<ArgumentException>(() => new PushMessage(default) { Urgency = (PushUrgency)4 });

    [Fact]
    public void A_topic_has_1_to_32_characters_but_not_one_more_than_a_multiple_of_4()
    {
        for (var length = 0; length <= 40; length++)
        {
            var topic = new string('a', length);
            if (length is >= 1 and <= 32 && length % 4 != 1)
            {
                Assert.Equal(topic, new PushMessage(default) { Topic = topic }.Topic);
            }
            else
            {
                Assert.Contains("32", Assert.ThrowsAny<ArgumentException>(() => new PushMessage(default) { Topic = topic }).Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("a+")]
    [InlineData("a/")]
    [InlineData("aaa=")]
    [InlineData("a ")]
    [InlineData("a\n")]
    [InlineData("aä")]
    public void A_topic_of_other_characters_is_refused(string topic) =>
        Assert.ThrowsAny<ArgumentException>(() => new PushMessage(default) { Topic = topic });
}
