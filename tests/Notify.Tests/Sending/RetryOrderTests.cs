using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.Messaging;
using Notify.Store;
using Notify.Tests.Store;

namespace Notify.Tests.Sending;

/// <summary>What waits until the store can be read again stays before what came after it, at every stage.</summary>
public abstract class RetryOrderTests
{
    // SQLite's codes: one is waited out for as long as it takes, the other is an error like any other.
    private const int Busy = 5;
    private const int Error = 1;

    // What user-fanout begins with.
    private const string QueryOfFanout = "SELECT EXISTS (SELECT 1 FROM \"FannedOutParts\"";

    // Finds a recipient's subscriptions, at user-fanout-part or, where those are not cached, at subscription-send.
    private const string QueryOfSubscriptions = "ORDER BY \"s\".\"Id\"";

    [Theory]
    [InlineData(QueryOfFanout, Busy)]
    [InlineData(QueryOfSubscriptions, Busy)]
    [InlineData(QueryOfSubscriptions, Error)]
    public async Task Messages_of_a_conversation_keep_their_order(string query, int code)
    {
        var failing = new FailingCommands(query, code);
        await using var service = await StartAsync(services => Intercept(services, failing));
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, _) = await service.SubscribeAsync(browser.Agent, "ada");

        failing.FailNext();
        foreach (var title in (string[])["first", "second"])
        {
            await service.PostAsync(new MessagePosted { MessageId = Guid.CreateVersion7(), ConversationId = "room", RecipientIds = ["ada"], Title = title });
        }

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Count() == 2);
        Assert.Equal(1, failing.Failed);
        Assert.Equal(["first", "second"], browser.TitlesOf(subscription));
    }

    [Theory]
    [InlineData(Busy)]
    [InlineData(Error)]
    [InlineData(Error, Busy, Error)]
    [InlineData(Busy, Error, Error)]
    public async Task Pushes_to_a_subscription_keep_their_order(params int[] codes)
    {
        var failing = new FailingCommands(QueryOfSubscriptions, Error);
        await using var service = await StartAsync(services => Intercept(services, failing));
        await using var browser = await Browser.OpenAsync(service);
        var (subscription, id) = await service.SubscribeAsync(browser.Agent, "ada");

        failing.FailNextWith(codes);
        var sender = service.Services.GetRequiredService<PushSender>();
        foreach (var title in (string[])["first", "second"])
        {
            var push = new SendPush
            {
                SubscriptionId = id,
                UserId = "ada",
                MessageId = Guid.CreateVersion7(),
                Payload = $$$"""{"notification":{"title":"{{{title}}}"}}""",
                Urgency = "normal",
                TtlSeconds = 600,
                ExpiresAt = TimeProvider.System.GetUtcNow().AddMinutes(10),
            };
            await sender.SendAsync(push, attemptsInLine: null, TestContext.Current.CancellationToken);
        }

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Count() == 2);
        Assert.Equal(codes.Length, failing.Failed);
        Assert.Equal(["first", "second"], browser.TitlesOf(subscription));
    }

    /// <summary>Starts the service on the bus in question.</summary>
    protected abstract Task<NotifyService> StartAsync(Action<IServiceCollection> configure);

    private static void Intercept(IServiceCollection services, FailingCommands failing) =>
        services.ConfigureDbContext<SqliteNotifyDbContext>(options => options.AddInterceptors(failing));
}
