using System.Diagnostics;
using System.Reflection;
using MassTransit;
using MassTransit.Logging;
using MassTransit.Monitoring;
using Microsoft.Extensions.Options;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Notify.Telemetry;

/// <summary>Traces, metrics and logs to an OpenTelemetry collector, and metrics to Prometheus; each where it is asked for, and nothing is collected for nobody.</summary>
internal static class TelemetrySetup
{
    private const string MetricsPath = "/metrics";
    private const string HealthPath = "/health";
    private const string ProtocolKey = "OTEL_EXPORTER_OTLP_PROTOCOL";

    private static readonly string[] OtlpKeys =
        ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"];

    // System.Net.Http's durations have the push service's host and status; its spans would have the endpoint's path, which is a secret, and are left out.
    private static readonly string[] Meters =
    [
        NotifyMetrics.MeterName, InstrumentationOptions.MeterName, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.RateLimiting",
        "System.Net.Http", "System.Runtime",
    ];

    public static void AddNotifyTelemetry(this WebApplicationBuilder builder)
    {
        ThrowIfUnusable(builder.Configuration);
        var hasCollector = HasCollector(builder.Configuration);
        var port = PrometheusPortOf(builder.Configuration);
        if (!hasCollector && port is null)
        {
            return;
        }

        builder.Services.AddSingleton<DistributedContextPropagator, TraceContextPropagator>();
        var telemetry = builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource
                .AddService("notify", serviceVersion: typeof(TelemetrySetup).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion, serviceInstanceId: $"{Environment.MachineName}:{Environment.ProcessId}")
                .AddEnvironmentVariableDetector())
            .WithMetrics(metrics => metrics.AddMeter(Meters));
        if (port is not null)
        {
            telemetry.WithMetrics(metrics => metrics.AddPrometheusExporter());
            builder.WebHost.UseSetting(WebHostDefaults.ServerUrlsKey, string.Join(';', [.. UrlsOf(builder.Configuration), $"http://*:{port}"]));
        }

        if (hasCollector)
        {
            telemetry
                .WithTracing(tracing => tracing
                    .AddSource(NotifyTracing.SourceName, DiagnosticHeaders.DefaultListenerName)
                    .AddAspNetCoreInstrumentation(options => options.Filter = context => !IsForMachines(context.Request.Path)))
                .WithLogging(_ => { }, logs => logs.IncludeFormattedMessage = true)
                .UseOtlpExporter();
        }
    }

    // OpenTelemetry's SDK would go on without a word, and without a collector.
    private static void ThrowIfUnusable(ConfigurationManager configuration)
    {
        var faults = OtlpKeys.Where(key => configuration[key] is { Length: > 0 } url && !(Uri.TryCreate(url, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttp || uri.Scheme == Uri.UriSchemeHttps)))
            .Select(key => $"{key} must be an http or https URL, such as http://collector:4317.").ToList();
        if (configuration[ProtocolKey] is { Length: > 0 } and not ("grpc" or "http/protobuf"))
        {
            faults.Add($"{ProtocolKey} must be grpc or http/protobuf.");
        }

        if (faults.Count > 0)
        {
            throw new OptionsValidationException(TelemetryOptions.Section, typeof(TelemetryOptions), faults);
        }
    }

    /// <summary>Whether traces, metrics and logs go to a collector.</summary>
    public static bool HasCollector(IConfiguration configuration) => OtlpKeys.Any(key => configuration[key] is { Length: > 0 });

    /// <summary>Hands on with each message that its trace is not sampled. MassTransit is silent then, and whoever gets the message would begin a trace of their own.</summary>
    public static void UseSamplingDecisions(this IBusFactoryConfigurator bus, IConfiguration configuration)
    {
        if (HasCollector(configuration))
        {
            bus.ConfigureSend(pipe => pipe.UseExecute(NotifyTracing.HandOnUnsampled));
            bus.ConfigurePublish(pipe => pipe.UseExecute(NotifyTracing.HandOnUnsampled));
        }
    }

    /// <summary>Serves <c>/metrics</c> and the health checks on the port set for them, and on that port nothing else.</summary>
    public static void UseNotifyMetrics(this WebApplication app)
    {
        if (app.Services.GetRequiredService<IOptions<TelemetryOptions>>().Value.PrometheusPort is not { } port)
        {
            return;
        }

        app.UseOpenTelemetryPrometheusScrapingEndpoint(context => context.Connection.LocalPort == port && context.Request.Path == MetricsPath);
        app.Use((context, next) =>
        {
            if (context.Connection.LocalPort != port || context.Request.Path.StartsWithSegments(HealthPath, StringComparison.Ordinal))
            {
                return next(context);
            }

            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
    }

    // A value that is none is the options' to refuse.
    private static int? PrometheusPortOf(ConfigurationManager configuration) =>
        int.TryParse(configuration[$"{TelemetryOptions.Section}:{nameof(TelemetryOptions.PrometheusPort)}"], out var port) && port is > 0 and <= ushort.MaxValue ? port : null;

    // Where the service listens anyway, as the host itself would work it out.
    private static IEnumerable<string> UrlsOf(ConfigurationManager configuration)
    {
        if (configuration[WebHostDefaults.ServerUrlsKey] is { Length: > 0 } urls)
        {
            return urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        }

        return Ports(WebHostDefaults.HttpPortsKey, "http").Concat(Ports(WebHostDefaults.HttpsPortsKey, "https"));

        IEnumerable<string> Ports(string key, string scheme) =>
            (configuration[key] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(port => $"{scheme}://*:{port}");
    }

    private static bool IsForMachines(PathString path) => path.StartsWithSegments(HealthPath, StringComparison.Ordinal) || path == MetricsPath;
}
