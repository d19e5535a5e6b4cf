using System.ComponentModel.DataAnnotations;

namespace Notify.Telemetry;

/// <summary>Section <c>Notify:Telemetry</c>. What goes to an OpenTelemetry collector is set by OpenTelemetry's own variables, such as <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>.</summary>
public sealed class TelemetryOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:Telemetry";

    /// <summary>
    /// A port of its own for <c>/metrics</c> and the health checks, for Prometheus and nobody else: what it serves needs no token. 1 to 65,535; no default, and then there is no <c>/metrics</c>.
    /// </summary>
    [Range(1, 65_535)]
    public int? PrometheusPort { get; set; }
}
