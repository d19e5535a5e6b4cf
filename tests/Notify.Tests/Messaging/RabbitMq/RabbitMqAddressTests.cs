using Notify.Messaging.RabbitMq;

namespace Notify.Tests.Messaging.RabbitMq;

public sealed class RabbitMqAddressTests
{
    [Theory]
    [InlineData(null, "localhost:5672")]
    [InlineData("amqps://user:secret@broker/host", "broker:5671")]
    [InlineData("amqp://user:secret@a:1/host, amqp://b", "a:1, b:5672")]
    public void Nodes_are_named_without_user_and_password(string? connectionString, string named) => Assert.Equal(named, RabbitMqAddress.Parse(connectionString).ToString());

    [Theory]
    [InlineData("secret")]
    [InlineData("http://secret@broker")]
    [InlineData("amqp://a,secret")]
    [InlineData(",")]
    public void What_is_no_address_is_refused_by_a_sentence_that_does_not_repeat_it(string connectionString)
    {
        var refused = Assert.Throws<FormatException>(() => RabbitMqAddress.Parse(connectionString));

        Assert.Contains("ConnectionStrings__RabbitMq", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Message, StringComparison.Ordinal);
    }
}
