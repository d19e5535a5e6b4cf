using System.Net;
using IPNetwork = System.Net.IPNetwork;

namespace Notify.Operations;

/// <summary>Section <c>Notify:ForwardedHeaders</c>: whose word on the caller's address counts.</summary>
public sealed class NotifyForwardedHeadersOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:ForwardedHeaders";

    /// <summary>
    /// Addresses (<c>10.0.0.5</c>) or networks (<c>10.0.0.0/8</c>) of the reverse proxies before the service, whose X-Forwarded-For and X-Forwarded-Proto are believed.
    /// Default: none; the headers are then ignored, since any caller can write them.
    /// </summary>
    public IList<string> KnownProxies { get; } = [];

    /// <summary>What is wrong with an entry; null if nothing is.</summary>
    internal static string? FaultOf(string entry) => NetworkOf(entry) is not null ? null
        : $"'{entry}' is neither an address such as 10.0.0.5 nor a network such as 10.0.0.0/8";

    internal static IPNetwork? NetworkOf(string entry) =>
        IPNetwork.TryParse(entry, out var network) ? network
        : IPAddress.TryParse(entry, out var address) ? new IPNetwork(address, address.GetAddressBytes().Length * 8)
        : null;
}
