using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Notify.Sending;

namespace Notify.Operations;

/// <summary>Live: the process answers. Ready: bus, store and VAPID keys are there.</summary>
internal static class HealthSetup
{
    private const string Ready = "ready";

    private static readonly HttpMethodMetadata Methods = new([HttpMethods.Get, HttpMethods.Head]);

    public static IServiceCollection AddNotifyHealth(this IServiceCollection services)
    {
        // MassTransit adds the bus's own check, with the same tag.
        services.AddSingleton<StoreHealthCheck>().AddHealthChecks()
            .AddCheck<StoreHealthCheck>("store", tags: [Ready])
            .AddCheck<VapidHealthCheck>("vapid", tags: [Ready]);
        return services;
    }

    public static void MapNotifyHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false, ResponseWriter = WriteAsync }).WithMetadata(Methods).AllowAnonymous().DisableRateLimiting();
        routes.MapHealthChecks("/health/ready", new HealthCheckOptions
        {
            Predicate = check => check.Tags.Contains(Ready),
            ResponseWriter = WriteAsync,

            // What MassTransit calls a bus whose broker it has lost, and goes on trying to reach.
            ResultStatusCodes = { [HealthStatus.Degraded] = StatusCodes.Status503ServiceUnavailable },
        }).WithMetadata(Methods).AllowAnonymous().DisableRateLimiting();
    }

    private static Task WriteAsync(HttpContext context, HealthReport report) =>
        context.Response.WriteAsJsonAsync(new
        {
            status = report.Status.ToString(),
            checks = report.Entries.ToDictionary(entry => entry.Key, entry => entry.Value.Status.ToString()),
        });

    private sealed class VapidHealthCheck(VapidKeyRing keys) : IHealthCheck
    {
        public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
            Task.FromResult(keys.IsLoaded ? HealthCheckResult.Healthy() : new HealthCheckResult(context.Registration.FailureStatus, "The VAPID keys are not loaded."));
    }
}
