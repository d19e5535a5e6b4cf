using Microsoft.AspNetCore.Http.Timeouts;

namespace Notify.Operations;

/// <summary>Ends requests that wait for what does not answer: a database that hangs would hold each up for as long as its driver and all of its tries take, minutes.</summary>
internal static class ApiTimeouts
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static IServiceCollection AddNotifyRequestTimeouts(this IServiceCollection services) => services.AddRequestTimeouts(options => options.DefaultPolicy = new RequestTimeoutPolicy
    {
        Timeout = Patience,
        TimeoutStatusCode = StatusCodes.Status503ServiceUnavailable,
        WriteTimeoutResponse = context =>
        {
            context.RequestServices.GetRequiredService<UnavailableLog>().Note(new TimeoutException($"The request was given up after {Patience}."));
            return Task.CompletedTask;
        },
    });

    /// <summary>Comes after routing. Whatever a driver makes of a command that is cancelled (SqlClient a fault of its own) is a cancellation.</summary>
    public static void UseNotifyRequestTimeouts(this IApplicationBuilder app) => app.UseRequestTimeouts().Use(async (context, next) =>
    {
        try
        {
            await next(context);
        }
        catch (Exception exception) when (exception is not OperationCanceledException && context.RequestAborted.IsCancellationRequested)
        {
            throw new OperationCanceledException(exception.Message, exception, context.RequestAborted);
        }
    });
}
