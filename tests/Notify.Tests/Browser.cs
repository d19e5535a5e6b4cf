using System.Collections.Concurrent;
using System.Text.Json;
using Notify.LocalPushService;

namespace Notify.Tests;

/// <summary>A simulated user agent that keeps what it received, in order.</summary>
public sealed class Browser : IAsyncDisposable
{
    private readonly LocalUserAgent _agent;
    private readonly ConcurrentQueue<ReceivedPush> _received = new();
    private readonly Task _reading;

    private Browser(LocalUserAgent agent)
    {
        _agent = agent;
        _reading = ReadAsync();
    }

    public LocalUserAgent Agent => _agent;

    public IReadOnlyCollection<ReceivedPush> Received => _received;

    public static async Task<Browser> OpenAsync(NotifyService service) =>
        new(await LocalUserAgent.ConnectAsync(service.Push.Url, TestContext.Current.CancellationToken));

    /// <summary>The titles that one subscription has received, in order.</summary>
    public IEnumerable<string> TitlesOf(LocalSubscription subscription) =>
        _received.Where(push => push.Subscription == subscription).Select(TitleOf);

    public static string TitleOf(ReceivedPush push) => JsonDocument.Parse(push.Content).RootElement.GetProperty("notification").GetProperty("title").GetString()!;

    public async ValueTask DisposeAsync()
    {
        await _agent.DisposeAsync();
        await _reading;
    }

    private async Task ReadAsync()
    {
        await foreach (var push in _agent.Received.ReadAllAsync())
        {
            _received.Enqueue(push);
        }
    }
}
