using Microsoft.Extensions.DependencyInjection;
using Notify.Tests;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>The service in this process, on a broker.</summary>
internal static class RabbitMqService
{
    public static Task<NotifyService> StartAsync(Uri broker, params string[] settings) => StartAsync(broker, null, settings);

    public static Task<NotifyService> StartAsync(Uri broker, DirectoryInfo? folder, params string[] settings) => StartAsync(broker, folder, null, settings);

    public static Task<NotifyService> StartAsync(Uri broker, DirectoryInfo? folder, Action<IServiceCollection>? configure, params string[] settings) =>
        NotifyService.StartAsync(folder, builder => configure?.Invoke(builder.Services), ["--Notify:Transport=RabbitMq", $"--ConnectionStrings:RabbitMq={broker}", .. settings]);
}
