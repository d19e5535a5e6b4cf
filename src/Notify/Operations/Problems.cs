namespace Notify.Operations;

/// <summary>RFC 9457 problem details with a stable <c>code</c>: the only shape of an error that the API answers with.</summary>
internal static class Problems
{
    /// <summary>A problem with its code and what to do about it.</summary>
    public static IResult Of(int status, string code, string detail, object? errors = null)
    {
        var extensions = new Dictionary<string, object?> { ["code"] = code };
        if (errors is not null)
        {
            extensions["errors"] = errors;
        }

        return TypedResults.Problem(detail, statusCode: status, extensions: extensions);
    }

    /// <summary>413.</summary>
    public static IResult TooLarge(string detail) => Of(StatusCodes.Status413PayloadTooLarge, "too_large", detail);

    public static IServiceCollection AddProblems(this IServiceCollection services) =>
        services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
            context.ProblemDetails.Extensions.TryAdd("code", CodeOf(context.ProblemDetails.Status)));

    /// <summary>Gives every error that has no body yet a problem's body, and every exception a 500 without its text.</summary>
    public static void UseProblems(this IApplicationBuilder app) => app
        .UseExceptionHandler(new ExceptionHandlerOptions { StatusCodeSelector = StatusOf })
        .UseStatusCodePages();

    private static int StatusOf(Exception exception) => exception is BadHttpRequestException bad ? bad.StatusCode : StatusCodes.Status500InternalServerError;

    private static string CodeOf(int? status) => status switch
    {
        400 => "parse_error",
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        408 => "request_timeout",
        413 => "too_large",
        415 => "unsupported_media_type",
        429 => "rate_limited",
        >= 400 and < 500 => "bad_request",
        _ => "internal_error",
    };
}
