using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Claims;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.Extensions.Options;
using Notify.Authentication;

namespace Notify.Operations;

/// <summary>Counts requests by user, or by address where no user is known. Comes after authentication; health checks and files are not counted.</summary>
internal static class RateLimits
{
    // Callers share so many counters, as users of the cache share generations: memory stays bounded whoever comes, and nobody can tell with whom they share one.
    private const int Stripes = 1 << 16;

    private enum Kind
    {
        User,
        Publisher,
        Address,
    }

    public static IServiceCollection AddNotifyRateLimits(this IServiceCollection services, IConfiguration configuration, IHostEnvironment environment)
    {
        if (environment.IsDevelopment() && !configuration.GetSection(RateLimitsOptions.Section).Exists())
        {
            return services.AddRateLimiter(_ => { });
        }

        services.AddRateLimiter(_ => { }).AddOptions<RateLimiterOptions>().Configure<IOptions<RateLimitsOptions>>((limiter, options) =>
        {
            var limits = options.Value;
            limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, (Kind, uint)>(context => PartitionOf(context, limits));
            limiter.OnRejected = (rejected, _) => RefuseAsync(rejected, limits);
        });
        return services;
    }

    private static RateLimitPartition<(Kind, uint)> PartitionOf(HttpContext context, RateLimitsOptions limits)
    {
        var user = context.User.FindFirstValue("sub");
        var (kind, caller, limit) = string.IsNullOrEmpty(user) ? (Kind.Address, AddressOf(context.Connection.RemoteIpAddress), limits.PerAddress)
            : IsForPublishers(context) ? (Kind.Publisher, user, limits.PerPublisher)
            : (Kind.User, user, limits.PerUser);
        return limit == 0
            ? RateLimitPartition.GetNoLimiter((kind, 0u))
            : RateLimitPartition.GetFixedWindowLimiter(
                (kind, (uint)string.GetHashCode(caller, StringComparison.Ordinal) % Stripes),
                _ => new FixedWindowRateLimiterOptions { PermitLimit = limit, Window = limits.Window, QueueLimit = 0 });
    }

    private static bool IsForPublishers(HttpContext context) =>
        context.GetEndpoint()?.Metadata.GetOrderedMetadata<IAuthorizeData>().Any(needed => needed.Policy == Policies.Publish) == true;

    // Whoever has one IPv6 address has the 2^64 beside it.
    private static string AddressOf(IPAddress? address) => address switch
    {
        null => "",
        { IsIPv4MappedToIPv6: true } => address.MapToIPv4().ToString(),
        { AddressFamily: AddressFamily.InterNetworkV6 } => Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8)),
        _ => address.ToString(),
    };

    private static async ValueTask RefuseAsync(OnRejectedContext rejected, RateLimitsOptions limits)
    {
        var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var known) ? known : limits.Window;
        var seconds = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds));
        rejected.HttpContext.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        await Problems.Of(StatusCodes.Status429TooManyRequests, "rate_limited", $"Too many requests; try again in {seconds} s.").ExecuteAsync(rejected.HttpContext);
    }
}
