using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.Extensions.Options;

namespace Notify.Operations;

/// <summary>Lets the pages of named origins call the API. Tokens travel in a header that a page sets, never by cookie, so no credentials are allowed.</summary>
internal static class Cors
{
    private static readonly TimeSpan PreflightMaxAge = TimeSpan.FromMinutes(10);

    public static IServiceCollection AddNotifyCors(this IServiceCollection services, IHostEnvironment environment)
    {
        services.AddCors().AddOptions<CorsOptions>().Configure<IOptions<NotifyCorsOptions>>((cors, options) => cors.AddDefaultPolicy(policy =>
        {
            policy.AllowAnyHeader().WithMethods(HttpMethods.Get, HttpMethods.Post, HttpMethods.Delete).WithExposedHeaders("Retry-After").SetPreflightMaxAge(PreflightMaxAge);
            if (options.Value.AllowedOrigins.Count > 0)
            {
                policy.WithOrigins([.. options.Value.AllowedOrigins]);
            }
            else if (environment.IsDevelopment())
            {
                policy.SetIsOriginAllowed(origin => Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.IsLoopback);
            }
        }));
        return services;
    }
}
