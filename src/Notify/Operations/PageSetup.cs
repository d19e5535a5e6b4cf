using Microsoft.AspNetCore.StaticFiles;

namespace Notify.Operations;

/// <summary>Serves the page, the client module and the worker.</summary>
internal static class PageSetup
{
    private const string ContentSecurityPolicy = "default-src 'self'; img-src 'self' https: data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

    public static void UseNotifyPage(this IApplicationBuilder app)
    {
        app.Use((context, next) =>
        {
            context.Response.Headers.XContentTypeOptions = "nosniff";
            context.Response.Headers.ContentSecurityPolicy = ContentSecurityPolicy;
            context.Response.Headers["Referrer-Policy"] = "no-referrer";
            return next(context);
        });
        app.UseDefaultFiles();
        app.UseStaticFiles(new StaticFileOptions { OnPrepareResponse = Prepare });
    }

    // Another origin's application imports the module and the worker (by importScripts), and must see a new version at once.
    private static void Prepare(StaticFileResponseContext context)
    {
        context.Context.Response.Headers.CacheControl = "no-cache";
        context.Context.Response.Headers["Cross-Origin-Resource-Policy"] = "cross-origin";
        context.Context.Response.Headers.AccessControlAllowOrigin = "*";
    }
}
