using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Security.Claims;
using Microsoft.Extensions.Options;
using Notify.Authentication;
using Notify.Deliveries;
using Notify.Operations;

namespace Notify.Dashboard;

/// <summary>What the dashboard shows. <c>/api/dashboard/live</c> is a stream of server-sent events: <c>history</c> once, then <c>live</c> with each report of a worker, and every four seconds without one.</summary>
internal static class DashboardApi
{
    private const string Page = "/dashboard";

    /// <summary>Serves the page under a name without an ending.</summary>
    public static void UseNotifyDashboard(this IApplicationBuilder app) => app.Use((context, next) =>
    {
        if (context.Request.Path == Page)
        {
            context.Request.Path = $"{Page}.html";
        }

        return next(context);
    });

    public static void MapDashboardApi(this IEndpointRouteBuilder routes)
    {
        var group = routes.MapGroup("/api/dashboard").WithTags("Dashboard").RequireAuthorization(Policies.Operate);
        group.MapGet("/live", (Workers workers, Backlog backlog, ClaimsPrincipal user, TimeProvider time, IHostApplicationLifetime host, CancellationToken cancellationToken) =>
            TypedResults.ServerSentEvents(LiveAsync(workers, backlog, EndOf(user), time, host.ApplicationStopping, cancellationToken))).WithName("WatchDashboard").DisableRequestTimeout();
        group.MapGet("/messages/{messageId:guid}", FindMessageAsync).WithName("FindMessage")
            .Produces<MessageView>().ProducesProblem(StatusCodes.Status404NotFound);
        group.MapGet("/users", FindUserAsync).WithName("FindUser")
            .Produces<UserView>().ProducesProblem(StatusCodes.Status400BadRequest);
    }

    private static async IAsyncEnumerable<SseItem<object>> LiveAsync(
        Workers workers, Backlog backlog, DateTimeOffset end, TimeProvider time, CancellationToken stopping, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var watch = backlog.Watch();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, cancellationToken);
        yield return new SseItem<object>(LiveViews.History(workers), "history");
        while (!either.IsCancellationRequested && time.GetUtcNow() < end)
        {
            // While the broker is away no worker is heard of; that is what has to be shown then.
            var next = workers.NextAsync(either.Token).WaitAsync(2 * WorkerReporter.Interval, time, either.Token);
            yield return new SseItem<object>(LiveViews.Now(workers, backlog.Last, backlog.Browsers, time.GetUtcNow()), "live");

            // Several workers report one after the other: they are shown together.
            await Task.WhenAll(next, Task.Delay(WorkerReporter.Interval / 2, time, either.Token)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Some say "never" by an end that no clock can be added to.
    private static readonly long LastSecond = (DateTimeOffset.MaxValue - AuthOptions.ClockSkew).ToUnixTimeSeconds();

    // A token that has run out lets nobody look on.
    private static DateTimeOffset EndOf(ClaimsPrincipal user) =>
        long.TryParse(user.FindFirstValue("exp"), CultureInfo.InvariantCulture, out var seconds) && seconds < LastSecond ? DateTimeOffset.FromUnixTimeSeconds(seconds) + AuthOptions.ClockSkew : DateTimeOffset.MaxValue;

    private static async Task<IResult> FindMessageAsync(Guid messageId, Timelines timelines, IOptions<DeliveryLogOptions> options, CancellationToken cancellationToken) =>
        !options.Value.Enabled ? DeliveriesApi.NoLog()
        : await timelines.OfMessageAsync(messageId, cancellationToken) is { } message ? TypedResults.Ok(message)
        : Problems.Of(StatusCodes.Status404NotFound, "not_found", "Nothing is known of this message: it was not fanned out, reached nobody, or is too long ago.");

    private static async Task<IResult> FindUserAsync(string? id, Timelines timelines, CancellationToken cancellationToken) => Policies.IsUserId(id)
        ? TypedResults.Ok(await timelines.OfUserAsync(id!, cancellationToken))
        : Problems.Of(StatusCodes.Status400BadRequest, "parse_error", "Give the user's id: ?id=...");
}
