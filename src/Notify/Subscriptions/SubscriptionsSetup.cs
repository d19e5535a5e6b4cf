using Microsoft.Extensions.Caching.Memory;
using Microsoft.Extensions.Options;

namespace Notify.Subscriptions;

/// <summary>Registers the subscriptions' slice.</summary>
internal static class SubscriptionsSetup
{
    public static IServiceCollection AddNotifySubscriptions(this IServiceCollection services)
    {
        services.AddMemoryCache().AddOptions<MemoryCacheOptions>().Configure<IOptions<SubscriptionsOptions>>((cache, options) => cache.SizeLimit = options.Value.CacheMegabytes * 1024L * 1024);
        services.AddHybridCache();
        return services.AddSingleton<SubscriptionCache>().AddScoped<SubscriptionRegistry>().AddScoped<SubscriptionAgeing>();
    }
}
