using Microsoft.Extensions.Options;
using Notify.WebPush;

namespace Notify.Sending;

/// <summary>Registers the send stage.</summary>
internal static class SendingSetup
{
    // Development has no operator to reach.
    private const string DevelopmentSubject = "mailto:developer@example.com";

    public static IServiceCollection AddNotifySending(this IServiceCollection services)
    {
        services.AddSingleton<PushServiceAllowList>().AddSingleton<PublicAddresses>().AddSingleton<PushServiceGates>().AddSingleton<PushPoster>().AddSingleton<SendStage>();
        services.AddSingleton<VapidKeyRing>().AddSingleton<RetrySchedule>().AddSingleton<WaitingLines>();
        services.AddSingleton(provider => new VapidTokens(
            provider.GetRequiredService<IOptions<VapidOptions>>().Value.Subject is { Length: > 0 } subject ? subject : DevelopmentSubject,
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider =>
        {
            var handler = PushServiceClient.CreateHandler();
            handler.ConnectCallback = provider.GetRequiredService<PublicAddresses>().ConnectAsync;
            return new PushServiceClient(
                new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan },
                provider.GetRequiredService<VapidTokens>(),
                provider.GetRequiredService<TimeProvider>())
            {
                Timeout = provider.GetRequiredService<IOptions<SendingOptions>>().Value.Timeout,
            };
        });
        return services;
    }
}
