using System.Net;
using System.Net.Sockets;
using Notify.WebPush;

namespace Notify.Sending;

/// <summary>
/// Connects to push services at public addresses only, whatever a name resolves to at that moment: DNS may answer the registration with one address
/// and the push with another.
/// </summary>
/// <param name="allowList">Hosts that may be connected to at all.</param>
/// <param name="resolve">A host's addresses; <see cref="Dns"/>'s unless given.</param>
public sealed class PublicAddresses(PushServiceAllowList allowList, Func<string, CancellationToken, Task<IPAddress[]>>? resolve = null)
{
    // Global unicast is all that IANA has given out for the internet. Elsewhere lie ::1, fc00::/7, fe80::/10, and most of the ways to write an IPv4 address.
    private static readonly IPNetwork GlobalUnicast = IPNetwork.Parse("2000::/3");

    // RFC 6052: a network without IPv4 reaches the rest through addresses that end with the IPv4 address.
    private static readonly IPNetwork Nat64 = IPNetwork.Parse("64:ff9b::/96");

    // IANA's special-purpose address registries; of IPv6 what lies in global unicast: Teredo and others, documentation, 6to4.
    private static readonly IPNetwork[] NotPublic =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
        }.Select(network => IPNetwork.Parse(network)),
    ];

    /// <summary>Whether an address is one that the whole internet can reach.</summary>
    public static bool IsPublic(IPAddress address)
    {
        var plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : Nat64.Contains(address) ? new IPAddress(address.GetAddressBytes()[^4..]) : address;
        return (plain.AddressFamily == AddressFamily.InterNetwork || GlobalUnicast.Contains(plain)) && !Array.Exists(NotPublic, network => network.Contains(plain));
    }

    /// <summary>For <see cref="SocketsHttpHandler.ConnectCallback"/>.</summary>
    /// <exception cref="ConnectionNotAllowedException">The host is not on the list (any more), or has no public address.</exception>
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var host = context.DnsEndPoint;
        var isOrigin = allowList.IsAllowedOriginHost(host.Host, host.Port);
        if (!isOrigin && !allowList.IsAllowedHost(host.Host))
        {
            throw new ConnectionNotAllowedException($"{host.Host} is not a push service that this server is allowed to send to");
        }

        var addresses = await (resolve ?? Dns.GetHostAddressesAsync)(host.Host, cancellationToken);
        if (!isOrigin)
        {
            addresses = [.. addresses.Where(IsPublic)];
        }

        if (addresses.Length == 0)
        {
            throw new ConnectionNotAllowedException($"{host.Host} has no public address, and only those are pushed to");
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, host.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
