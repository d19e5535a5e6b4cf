namespace Notify.Fanout;

/// <summary>Registers the fan-out.</summary>
internal static class FanoutSetup
{
    public static IServiceCollection AddNotifyFanout(this IServiceCollection services) => services.AddSingleton<FanoutLedger>();
}
