using System.Collections.Concurrent;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.Fanout;

namespace Notify.Tests.Fanout;

/// <summary>Which way the parts of an audience go.</summary>
public sealed class BroadcastTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public Task Of_no_conversation_and_to_more_than_a_part() => PartsGoAsync(conversationId: null, recipients: 7, "user-fanout-broadcast", parts: 3);

    [Fact]
    public Task Not_to_a_part_alone() => PartsGoAsync(conversationId: null, recipients: 3, "user-fanout-part", parts: 1);

    // What follows it in the conversation must not overtake it.
    [Fact]
    public Task Not_of_a_conversation() => PartsGoAsync("room", recipients: 7, "user-fanout-part", parts: 3);

    private static async Task PartsGoAsync(string? conversationId, int recipients, string queue, int parts)
    {
        await using var service = await NotifyService.StartAsync("--Notify:Fanout:RecipientsPerPart=3");
        await using var browser = await Browser.OpenAsync(service);
        var users = Enumerable.Range(0, recipients).Select(user => $"user-{user}").ToArray();
        foreach (var user in users)
        {
            await service.SubscribeAsync(browser.Agent, user);
        }

        var bus = service.Services.GetRequiredService<IBusControl>();
        var sent = new Sent();
        using var observing = bus.ConnectSendObserver(sent);

        await bus.Publish(new MessagePosted { MessageId = Guid.NewGuid(), ConversationId = conversationId, RecipientIds = users, Title = "all hands" }, Cancellation);

        await Eventually.TrueAsync(() => browser.Received.Count == recipients);
        Assert.Equal(parts, sent.Parts.Count);
        Assert.Equal(users.Order(), sent.Parts.SelectMany(part => part.Message.RecipientIds).Order());
        Assert.Equal(Enumerable.Range(0, parts).Select(index => (int?)(3 * index)), sent.Parts.Select(part => part.Message.Offset).Order());
        Assert.All(sent.Parts, part => Assert.Equal((queue, queue == "user-fanout-broadcast"), (part.Destination.Segments[^1], part.Message.IsBroadcast)));
    }

    private sealed class Sent : ISendObserver
    {
        public ConcurrentBag<(Uri Destination, UserFanoutPart Message)> Parts { get; } = [];

        public Task PreSend<T>(SendContext<T> context)
            where T : class
        {
            if (context.Message is UserFanoutPart part)
            {
                Parts.Add((context.DestinationAddress!, part));
            }

            return Task.CompletedTask;
        }

        public Task PostSend<T>(SendContext<T> context)
            where T : class => Task.CompletedTask;

        public Task SendFault<T>(SendContext<T> context, Exception exception)
            where T : class => Task.CompletedTask;
    }
}
