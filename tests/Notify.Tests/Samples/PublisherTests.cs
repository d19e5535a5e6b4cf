using MassTransit;
using MassTransit.Testing;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.Fanout;
using Publisher;

namespace Notify.Tests.Samples;

public sealed class PublisherTests
{
    [Fact]
    public async Task A_post_in_a_room_is_published_once_to_its_members_and_keeps_to_the_rules()
    {
        await using var services = new ServiceCollection().AddMassTransitTestHarness().AddScoped<ChatRooms>().BuildServiceProvider(validateScopes: true);
        var harness = await services.StartTestHarness();
        await using var scope = services.CreateAsyncScope();
        var post = new ChatMessage(Guid.NewGuid(), "grace", "Grace", "Lunch?");

        await scope.ServiceProvider.GetRequiredService<ChatRooms>().PostAsync(new Room("kitchen", ["ada", "grace"]), post, TestContext.Current.CancellationToken);

        var message = Assert.Single(harness.Published.Select<MessagePosted>(TestContext.Current.CancellationToken)).Context.Message;
        Assert.Equal((post.Id, "kitchen", "grace", "Grace", "Lunch?", "/rooms/kitchen"), (message.MessageId, message.ConversationId, message.AuthorId, message.Title, message.Body, message.Url));
        Assert.Equal(["ada", "grace"], message.RecipientIds);
        Assert.Empty(MessageRules.Check(message));
    }

    [Theory]
    [InlineData("README.md")]
    [InlineData("contracts/Notify.Contracts/README.md")]
    public void What_a_README_shows_is_what_the_sample_does(string readme) => Readme.CheckCode(readme, "samples/Publisher.DotNet/ChatRooms.cs");
}
