using FsCheck.Xunit;

namespace Notify.WebPush.Tests;

public class PushTopicTests
{
    [Property(MaxTest = 1000)]
    public void Any_tag_makes_a_topic_of_32_characters_that_a_message_takes(string? tag)
    {
        var topic = PushTopic.From(tag ?? "");

        Assert.Equal(32, topic.Length);
        Assert.All(topic, character => Assert.True(char.IsAsciiLetterOrDigit(character) || character is '-' or '_'));
        Assert.Equal(topic, new PushMessage(default) { Topic = topic }.Topic);
    }

    [Fact]
    public void It_is_the_start_of_the_SHA_256_of_the_tag() =>
        Assert.Equal("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NM", PushTopic.From(""));

    [Fact]
    public void Equal_tags_make_equal_topics_and_others_do_not()
    {
        Assert.Equal(PushTopic.From("conversation-1"), PushTopic.From("conversation-1"));
        Assert.NotEqual(PushTopic.From("conversation-1"), PushTopic.From("conversation-2"));
    }
}
