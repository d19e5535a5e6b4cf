namespace Notify.Operations;

/// <summary>Headers that every answer carries, errors and files included.</summary>
internal static class SecurityHeaders
{
    private const string ContentSecurityPolicy =
        "default-src 'self'; img-src 'self' https: data:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

    /// <summary>Comes first, so that no other middleware answers without them.</summary>
    public static void UseSecurityHeaders(this IApplicationBuilder app) => app.Use((context, next) =>
    {
        // At the last moment: the exception handler clears what was set before.
        context.Response.OnStarting(Set, context.Response);
        return next(context);
    });

    private static Task Set(object response)
    {
        var headers = ((HttpResponse)response).Headers;
        headers.XContentTypeOptions = "nosniff";
        headers.ContentSecurityPolicy = ContentSecurityPolicy;
        headers["Referrer-Policy"] = "no-referrer";

        // What is meant to be kept, files that is, says so itself.
        if (headers.CacheControl.Count == 0)
        {
            headers.CacheControl = "no-store";
        }

        return Task.CompletedTask;
    }
}
