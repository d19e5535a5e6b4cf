using Microsoft.Extensions.Logging;

namespace Notify.LocalPushService;

/// <summary>How a <see cref="LocalPushServer"/> is started.</summary>
public sealed record LocalPushServiceOptions
{
    /// <summary>
    /// Where it listens: <c>http://</c>, then <c>localhost</c> or an IP address, then a port (0 = a free one). Default
    /// <c>http://localhost:5081</c>.
    /// </summary>
    public string Url { get; init; } = "http://localhost:5081";

    /// <summary>
    /// What application servers know it by, where something in front of it passes their requests on: scheme, host and port. Endpoints begin
    /// with it, and it is the audience that VAPID tokens must name (RFC 8292, section 2). Default: <see cref="Url"/>'s.
    /// </summary>
    public string? Origin { get; init; }

    /// <summary>The clock for TTLs, token expiry and delays on command. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where refusals and connections are logged, without endpoints. Default: nowhere.</summary>
    public ILoggerFactory? LoggerFactory { get; init; }

    /// <summary>
    /// Whether the ephemeral key of each body must be a point on P-256 (RFC 8291, section 3.1). Default true; it costs
    /// about 80 µs a push message, so load tests may switch it off.
    /// </summary>
    public bool CheckEphemeralKey { get; init; } = true;

    /// <summary>
    /// Push messages kept for one subscription while they are not acknowledged, at least 1. Default 1000; beyond that the
    /// oldest is dropped, as a push service may (RFC 8030, section 7.1).
    /// </summary>
    public int MaxStoredPerSubscription { get; init; } = 1000;
}
