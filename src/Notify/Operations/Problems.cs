using System.Diagnostics;
using MassTransit;
using Microsoft.Extensions.Options;
using Notify.Authentication;
using Notify.Store;

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
        {
            if (context.ProblemDetails.Status == StatusCodes.Status503ServiceUnavailable)
            {
                context.HttpContext.Response.Headers.RetryAfter = "5";
            }

            context.ProblemDetails.Detail ??= DetailOf(context.ProblemDetails.Status);
            context.ProblemDetails.Extensions.TryAdd("code", CodeOf(context.ProblemDetails.Status));
        }).AddSingleton<IProblemDetailsWriter, AnyAcceptWriter>().AddSingleton<UnavailableLog>();

    /// <summary>
    /// Gives every error that has no body yet a problem's body, and every exception a 500 without its text. A request that cannot be read is its sender's fault, and not logged as ours; what a
    /// database or a broker that is away costs is logged once a minute.
    /// </summary>
    public static void UseProblems(this IApplicationBuilder app) => app
        .UseExceptionHandler(new ExceptionHandlerOptions
        {
            StatusCodeSelector = StatusOf,
            SuppressDiagnosticsCallback = context =>
            {
                var status = StatusOf(context.Exception);
                if (status == StatusCodes.Status503ServiceUnavailable)
                {
                    context.HttpContext.RequestServices.GetRequiredService<UnavailableLog>().Note(context.Exception);
                }

                return status != StatusCodes.Status500InternalServerError;
            },
        })
        .UseStatusCodePages();

    private static int StatusOf(Exception exception) => exception switch
    {
        BadHttpRequestException bad => bad.StatusCode,
        ConnectionException => StatusCodes.Status503ServiceUnavailable,
        _ when StoreAway.IsSaidBy(exception) => StatusCodes.Status503ServiceUnavailable,
        _ => StatusCodes.Status500InternalServerError,
    };

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
        503 => "unavailable",
        _ => "internal_error",
    };

    private static string DetailOf(int? status) => status switch
    {
        400 => "The request cannot be read.",
        401 => "Send a token that is valid and of the configured issuer, as 'Authorization: Bearer TOKEN'.",
        403 => $"The token is good, but names no user in 'sub', or lacks the scope: {Policies.PublishScope} to post messages and ask after them, {Policies.OperateScope} for the dashboard.",
        404 => "There is no such route.",
        405 => "This route takes other methods: see Allow.",
        408 => "The body came too slowly.",
        413 => "The body is too large.",
        415 => "The body must be JSON, with the content type application/json.",
        >= 400 and < 500 => "Notify does not take this request.",
        503 => "What Notify needs for this (its database, its broker, the issuer of tokens) does not answer; try again later.",
        _ => "Notify failed at this; its log says why.",
    };

    /// <summary>Comes after ASP.NET's own writer, which leaves a request whose Accept does not cover JSON without a body, and writes what that one would.</summary>
    private sealed class AnyAcceptWriter(IOptions<ProblemDetailsOptions> options) : IProblemDetailsWriter
    {
        public bool CanWrite(ProblemDetailsContext context) => true;

        public async ValueTask WriteAsync(ProblemDetailsContext context)
        {
            var (problem, response) = (context.ProblemDetails, context.HttpContext.Response);
            problem.Status ??= response.StatusCode;

            // Nothing else that is public knows the type and title of a status.
            _ = TypedResults.Problem(problem);
            problem.Extensions["traceId"] = Activity.Current?.Id ?? context.HttpContext.TraceIdentifier;
            options.Value.CustomizeProblemDetails?.Invoke(context);
            await response.WriteAsJsonAsync(problem, problem.GetType(), options: null, contentType: "application/problem+json");
        }
    }
}
