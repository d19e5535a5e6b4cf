using Microsoft.Extensions.DependencyInjection;

namespace Notify.Tests.Sending;

/// <summary>On the in-memory bus.</summary>
public sealed class InMemoryRetryOrderTests : RetryOrderTests
{
    protected override Task<NotifyService> StartAsync(Action<IServiceCollection> configure) => NotifyService.StartAsync(null, builder => configure(builder.Services));
}
