using System.Net;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Notify.LocalPushService;

/// <summary>
/// A push service for one machine, for development and tests: RFC 8030's HTTP side, as strict as the strictest vendor;
/// the browser side of Mozilla's, so that an unmodified Firefox can be pointed at it; and faults on command. All in memory.
/// </summary>
public sealed class LocalPushServer : IAsyncDisposable
{
    private static readonly TimeSpan s_stopTimeout = TimeSpan.FromSeconds(2);

    private readonly KestrelServer _server;
    private readonly SubscriptionStore _store;

    private LocalPushServer(KestrelServer server, SubscriptionStore store, PushFaults faults, Uri url)
    {
        _server = server;
        _store = store;
        Faults = faults;
        Url = url;
    }

    /// <summary>As bound, for example <c>http://localhost:5081/</c>. User agents connect here with <c>ws</c>.</summary>
    public Uri Url { get; }

    /// <summary>The faults on command.</summary>
    public PushFaults Faults { get; }

    /// <summary>Subscriptions that are not gone.</summary>
    public int SubscriptionCount => _store.Counters.Subscriptions;

    /// <summary>Push messages taken on for delivery.</summary>
    public long AcceptedCount => _store.Counters.AcceptedPushes;

    /// <summary>Everything it counts, now.</summary>
    public LocalPushStatus Status => Snapshot(_store, Faults);

    /// <summary>Starts a push service.</summary>
    /// <exception cref="ArgumentException">The URL is not as <see cref="LocalPushServiceOptions.Url"/> says, or a bound is below 1.</exception>
    /// <exception cref="IOException">The address is in use.</exception>
    public static async Task<LocalPushServer> StartAsync(LocalPushServiceOptions options, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxStoredPerSubscription, 1, nameof(options));
        var store = new SubscriptionStore(options.TimeProvider, options.MaxStoredPerSubscription);
        var faults = new PushFaults();
        var application = new LocalPushApplication(
            store,
            new PushApi(store, new VapidVerifier(options.TimeProvider), faults, options.CheckEphemeralKey),
            new FaultsApi(faults),
            () => Snapshot(store, faults),
            (options.LoggerFactory ?? NullLoggerFactory.Instance).CreateLogger<LocalPushServer>());

        var kestrel = new KestrelServerOptions { AddServerHeader = false };
        Uri url = Listen(kestrel, options.Url);
        var server = new KestrelServer(
            Options.Create(kestrel),
            new SocketTransportFactory(Options.Create(new SocketTransportOptions()), NullLoggerFactory.Instance),
            NullLoggerFactory.Instance);
        try
        {
            await server.StartAsync(application, ct);
        }
        catch
        {
            server.Dispose();
            throw;
        }

        string bound = server.Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First();
        url = new UriBuilder(url) { Port = new Uri(bound).Port }.Uri;
        store.Origin = options.Origin ?? url.GetLeftPart(UriPartial.Authority);
        return new LocalPushServer(server, store, faults, url);
    }

    /// <summary>Tells the user agents that it goes away, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (UserAgent userAgent in _store.UserAgents)
        {
            userAgent.CloseConnection();
        }

        using var timeout = new CancellationTokenSource(s_stopTimeout);
        await _server.StopAsync(timeout.Token);
        _server.Dispose();
    }

    private static Uri Listen(KestrelServerOptions kestrel, string address)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? url) || url.Scheme != Uri.UriSchemeHttp || url.PathAndQuery != "/")
        {
            throw new ArgumentException("The local push service's URL must be http://HOST:PORT.", nameof(address));
        }

        if (IPAddress.TryParse(url.Host.Trim('[', ']'), out IPAddress? ip))
        {
            kestrel.Listen(ip, url.Port);
        }
        else if (!url.IsLoopback)
        {
            throw new ArgumentException("The local push service's host must be localhost or an IP address.", nameof(address));
        }
        else if (url.Port == 0)
        {
            // Kestrel finds a free port for one address, not for the two of localhost.
            kestrel.Listen(IPAddress.Loopback, 0);
        }
        else
        {
            kestrel.ListenLocalhost(url.Port);
        }

        return url;
    }

    private static LocalPushStatus Snapshot(SubscriptionStore store, PushFaults faults) =>
        store.Counters.Snapshot(store.UserAgents.Sum(userAgent => userAgent.CountPending()), faults.Active.Count);
}
