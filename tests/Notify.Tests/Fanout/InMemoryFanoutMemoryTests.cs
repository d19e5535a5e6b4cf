using Microsoft.Extensions.DependencyInjection;

namespace Notify.Tests.Fanout;

/// <summary>On the in-memory bus.</summary>
public sealed class InMemoryFanoutMemoryTests : FanoutMemoryTests
{
    protected override Task<NotifyService> StartAsync(Action<IServiceCollection> configure) => NotifyService.StartAsync(null, builder => configure(builder.Services));
}
