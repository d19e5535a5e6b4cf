using Microsoft.AspNetCore.StaticFiles;

namespace Notify.Operations;

/// <summary>Serves the page, the client module and the service worker.</summary>
internal static class PageSetup
{
    public static void UseNotifyPage(this IApplicationBuilder app)
    {
        app.UseDefaultFiles();
        var types = new FileExtensionContentTypeProvider();

        // To ASP.NET Core a film.
        types.Mappings[".ts"] = "text/plain; charset=utf-8";
        app.UseStaticFiles(new StaticFileOptions { ContentTypeProvider = types, OnPrepareResponse = Prepare });
    }

    // Another origin's application imports the module and the worker (by importScripts), and must see a new version at once.
    private static void Prepare(StaticFileResponseContext context)
    {
        context.Context.Response.Headers.CacheControl = "no-cache";
        context.Context.Response.Headers["Cross-Origin-Resource-Policy"] = "cross-origin";
        context.Context.Response.Headers.AccessControlAllowOrigin = "*";
    }
}
