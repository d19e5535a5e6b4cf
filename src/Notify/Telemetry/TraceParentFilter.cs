using System.Diagnostics;
using MassTransit;
using MassTransit.Logging;

namespace Notify.Telemetry;

/// <summary>
/// Has an event from a publisher that is no MassTransit go on in that publisher's trace: such name it in a header <c>traceparent</c> (W3C Trace Context, section 3.2), and MassTransit looks for a header
/// of its own alone.
/// </summary>
internal sealed class TraceParentFilter : IFilter<ConsumeContext>
{
    private const string Header = "traceparent";

    public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        var headers = context.ReceiveContext.TransportHeaders;
        if (headers.TryGetHeader(DiagnosticHeaders.ActivityId, out _) || headers.Get<string>(Header) is not { } traceParent || !ActivityContext.TryParse(traceParent, headers.Get<string>("tracestate"), isRemote: true, out var parent))
        {
            await next.Send(context);
            return;
        }

        using var activity = NotifyTracing.StartReceive(parent);
        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("traceParent");
}
