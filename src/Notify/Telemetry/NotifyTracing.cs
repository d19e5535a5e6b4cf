using System.Diagnostics;
using MassTransit;
using MassTransit.Logging;
using Notify.Contracts;
using Notify.WebPush;
using OpenTelemetry;

namespace Notify.Telemetry;

/// <summary>The spans of the source <c>Notify</c>, beside MassTransit's own: a POST to a push service, and a push that comes out of a waiting line or a mailbox.</summary>
internal static class NotifyTracing
{
    public const string SourceName = "Notify";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>A POST; named by method and target, as HTTP client spans are. Its target is the host: an endpoint's path is a secret.</summary>
    public static Activity? StartPush(string pushService, SendPush push, int attempt) => Source.StartActivity("POST", ActivityKind.Client)
        ?.SetTag("http.request.method", "POST")
        .SetTag(NotifyMetrics.ServerAddress, pushService)
        .SetTag("notify.message.id", push.MessageId)
        .SetTag("notify.subscription.id", push.SubscriptionId)
        .SetTag("notify.attempt", attempt);

    /// <summary>Says what became of a POST.</summary>
    public static void SetOutcome(this Activity activity, PushOutcome outcome)
    {
        var name = NotifyMetrics.NameOf(outcome);
        activity.SetTag(NotifyMetrics.Outcome, name);
        if (outcome.Status is { } status)
        {
            activity.SetTag(NotifyMetrics.StatusCode, status);
        }

        if (outcome is not PushOutcome.Accepted)
        {
            activity.SetTag("error.type", outcome.Status?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? name).SetStatus(ActivityStatusCode.Error, outcome.Reason);
        }
    }

    /// <summary>The receipt of a message in the trace of its publisher; the span around it, which knows of no publisher, is linked.</summary>
    public static Activity? StartReceive(ActivityContext publisher) =>
        Source.StartActivity("receive", ActivityKind.Consumer, publisher, links: Activity.Current is { } around ? [new ActivityLink(around.Context)] : null);

    /// <summary>Names the event that the current span is about.</summary>
    public static void Name(Guid messageId) => Activity.Current?.SetTag("notify.message.id", messageId);

    /// <summary>What is done until this is disposed of belongs to another trace than what is being handled: to that of the push which waited.</summary>
    /// <param name="traceParent">W3C Trace Context, section 3.2; null if it was not traced.</param>
    /// <param name="name">Of the span.</param>
    /// <param name="kind">Whether it sends the push on, or handles it.</param>
    public static IDisposable Resume(string? traceParent, string name = "release", ActivityKind kind = ActivityKind.Producer)
    {
        var before = Activity.Current;
        Activity.Current = null;

        // As from elsewhere, though it may have been here: so one that is not sampled stays unsampled.
        return new Resumed(before, ActivityContext.TryParse(traceParent, null, isRemote: true, out var parent) ? Source.StartActivity(name, kind, parent) : null);
    }

    /// <summary>What is done until this is disposed of is not traced.</summary>
    public static IDisposable Suppress() => SuppressInstrumentationScope.Begin();

    /// <summary>Tells those who receive a message not to trace it either: it is of a trace that was not sampled.</summary>
    public static void LeaveUntraced(SendContext context) =>
        context.Headers.Set(DiagnosticHeaders.ActivityId, $"00-{ActivityTraceId.CreateRandom()}-{ActivitySpanId.CreateRandom()}-00");

    /// <summary>Says so in a message's header where the current trace is not sampled.</summary>
    public static void HandOnUnsampled(SendContext context)
    {
        if (Activity.Current is { Recorded: false, Id: { } id } && !context.Headers.TryGetHeader(DiagnosticHeaders.ActivityId, out _))
        {
            context.Headers.Set(DiagnosticHeaders.ActivityId, id);
        }
    }

    private sealed class Resumed(Activity? before, Activity? activity) : IDisposable
    {
        public void Dispose()
        {
            activity?.Dispose();
            Activity.Current = before;
        }
    }
}
