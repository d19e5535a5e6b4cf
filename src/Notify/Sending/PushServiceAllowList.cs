using Microsoft.Extensions.Options;

namespace Notify.Sending;

/// <summary>Decides which endpoints are pushed to: an endpoint comes from a browser, and a URL from outside is a way in.</summary>
public sealed class PushServiceAllowList
{
    private readonly HashSet<string> _hosts = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<string> _suffixes = [];
    private volatile HashSet<string> _origins = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Reads the list once.</summary>
    public PushServiceAllowList(IOptions<PushServicesOptions> options)
    {
        foreach (var entry in options.Value.Allowed is { Count: > 0 } given ? given.AsEnumerable() : PushServicesOptions.Vendors)
        {
            if (entry.Contains("://", StringComparison.Ordinal))
            {
                AllowOrigin(new Uri(entry));
            }
            else if (entry.StartsWith("*.", StringComparison.Ordinal))
            {
                _suffixes.Add("." + Ascii(entry[2..]));
            }
            else
            {
                _hosts.Add(Ascii(entry));
            }
        }
    }

    /// <summary>What is wrong with an entry of the list; null if nothing is.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="isDevelopment">Whether a full origin may be named.</param>
    public static string? FaultOf(string entry, bool isDevelopment)
    {
        if (entry.Contains("://", StringComparison.Ordinal))
        {
            return !isDevelopment ? $"'{entry}' is a full origin, which only Development may name; outside it give a host or *.suffix, reached by https"
                : !Uri.TryCreate(entry, UriKind.Absolute, out var origin) || (origin.Scheme != Uri.UriSchemeHttp && origin.Scheme != Uri.UriSchemeHttps) || origin.PathAndQuery != "/" || origin.UserInfo.Length > 0 ? $"'{entry}' is not an origin; write it as http://host:port"
                : null;
        }

        var host = entry.StartsWith("*.", StringComparison.Ordinal) ? entry[2..] : entry;
        return Uri.CheckHostName(host) == UriHostNameType.Dns && host.Contains('.', StringComparison.Ordinal) && !host.EndsWith('.') ? null
            : $"'{entry}' is neither a host such as push.example.com nor a suffix such as *.example.com";
    }

    /// <summary>Allows one origin as it stands, private address and http included. For Development.</summary>
    public void AllowOrigin(Uri origin) => _origins = new(_origins, StringComparer.OrdinalIgnoreCase) { Origin(origin) };

    /// <summary>Whether a host was named by an allowed origin, so that its address may be private.</summary>
    public bool IsAllowedOriginHost(string host, int port) =>
        _origins.Any(origin => new Uri(origin) is var uri && uri.Port == port && string.Equals(uri.IdnHost, host, StringComparison.OrdinalIgnoreCase));

    /// <summary>Why an endpoint may not be pushed to; null if it may.</summary>
    public string? Refuses(Uri endpoint)
    {
        if (_origins.Contains(Origin(endpoint)))
        {
            return null;
        }

        if (endpoint.Scheme != Uri.UriSchemeHttps)
        {
            return "The endpoint must be an https URL.";
        }

        if (!endpoint.IsDefaultPort)
        {
            return "The endpoint must use the default port.";
        }

        // Matched on the parsed host: what stands in the text around it does not count. A trailing dot names the same host by another name.
        return endpoint.HostNameType == UriHostNameType.Dns && IsAllowedHost(endpoint.IdnHost) ? null
            : "The endpoint's host is not a push service that this server is allowed to send to; an operator extends Notify:PushServices:Allowed.";
    }

    /// <summary>Whether a host, in its ASCII form, is on the list.</summary>
    public bool IsAllowedHost(string host) =>
        _hosts.Contains(host) || _suffixes.Exists(suffix => host.Length > suffix.Length && host.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));

    // An operator may write bücher.example; an endpoint says xn--bcher-kva.example.
    private static string Ascii(string host) => new UriBuilder(Uri.UriSchemeHttps, host).Uri.IdnHost;

    private static string Origin(Uri uri) => uri.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped);
}
