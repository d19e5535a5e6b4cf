using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace Notify.Operations;

/// <summary>Finds the caller behind the operator's own proxies.</summary>
internal static class KnownProxies
{
    public static void UseKnownProxies(this WebApplication app)
    {
        if (app.Services.GetRequiredService<IOptions<NotifyForwardedHeadersOptions>>().Value.KnownProxies is not { Count: > 0 } entries)
        {
            return;
        }

        // Through all of them, up to the first address that is nobody's known proxy.
        var options = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto, ForwardLimit = null };
        options.KnownProxies.Clear();
        options.KnownIPNetworks.Clear();
        foreach (var entry in entries)
        {
            options.KnownIPNetworks.Add(NotifyForwardedHeadersOptions.NetworkOf(entry)!.Value);
        }

        app.UseForwardedHeaders(options);
    }
}
