using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.Store;
using Notify.Tests.Store;

namespace Notify.Tests.Fanout;

/// <summary>The fan-out on a store that fails to remember what was fanned out.</summary>
public abstract class FanoutMemoryTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false, 1, 3)]
    [InlineData(true, 1, 3)]
    [InlineData(false, 5, 1)]
    [InlineData(true, 5, 1)]
    public async Task What_could_not_be_remembered_at_first_is_pushed_once(bool isPart, int code, int times)
    {
        var failures = new FailingCommands(command => command.CommandText.StartsWith("INSERT INTO \"FannedOutParts\"", StringComparison.Ordinal) && command.Parameters["$count"].Value is > 0 == isPart, code);
        await using var service = await StartAsync(services => services.ConfigureDbContext<SqliteNotifyDbContext>(options => options.AddInterceptors(failures)));
        await using var browser = await Browser.OpenAsync(service);
        var subscription = (await service.SubscribeAsync(browser.Agent, "ada")).Subscription;
        var message = Message("once");

        failures.FailNext(times);
        await service.PostAsync(message);
        await service.PostAsync(Message("last") with { ConversationId = message.ConversationId });

        await Eventually.TrueAsync(() => browser.TitlesOf(subscription).Contains("last"));
        Assert.Equal(["once", "last"], browser.TitlesOf(subscription));
        await using var db = await service.Services.GetRequiredService<IDbContextFactory<NotifyDbContext>>().CreateDbContextAsync(Cancellation);
        var known = await Eventually.GetAsync(
            () => db.FannedOutParts.AsNoTracking().Where(part => part.MessageId == message.MessageId).OrderBy(part => part.Count).ToListAsync(Cancellation), parts => parts.Count == 2);
        Assert.Equal([(0, 0), (0, 1)], known.Select(part => (part.Offset, part.Count)));
        Assert.Equal(times, failures.Failed);
        Assert.Equal(["once", "last"], browser.TitlesOf(subscription));
    }

    /// <summary>Starts the service on the bus in question.</summary>
    protected abstract Task<NotifyService> StartAsync(Action<IServiceCollection> configure);

    private static MessagePosted Message(string title) => new() { MessageId = Guid.CreateVersion7(), ConversationId = "room", RecipientIds = ["ada"], Title = title };
}
