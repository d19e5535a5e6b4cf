namespace Notify.Subscriptions;

/// <summary>Registers the subscriptions' slice.</summary>
internal static class SubscriptionsSetup
{
    public static IServiceCollection AddNotifySubscriptions(this IServiceCollection services)
    {
        services.AddHybridCache();
        return services.AddSingleton<SubscriptionCache>().AddScoped<SubscriptionRegistry>().AddScoped<SubscriptionAgeing>();
    }
}
