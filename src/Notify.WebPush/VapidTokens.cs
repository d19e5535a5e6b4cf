using System.Collections.Concurrent;

namespace Notify.WebPush;

/// <summary>
/// The Authorization header of a push request (RFC 8292, section 3), kept for each push service and key pair and signed anew only when it
/// nears its end. Safe to use from several threads: callers that race for a new token sign one between them.
/// </summary>
public sealed class VapidTokens
{
    /// <summary>
    /// Tokens kept at most. The vendors have a few dozen origins; more means that somebody registers made-up ones, and then the token
    /// nearest its end is dropped.
    /// </summary>
    internal const int Capacity = 1024;

    /// <summary>RFC 8292, section 2: at most 24 hours. Half of it leaves room for clocks that disagree.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    /// <summary>A token is not used in its last hour, so that none expires on its way or by a clock that runs ahead.</summary>
    private static readonly TimeSpan RenewBefore = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<Key, Token> _tokens = new();
    private readonly Lock _lock = new();
    private readonly string _subject;
    private readonly TimeProvider _timeProvider;

    /// <summary>Tokens in the name of one contact.</summary>
    /// <param name="subject">Whom push services may turn to: a mailto: or https: URI (RFC 8292, section 2.1).</param>
    /// <param name="timeProvider">The clock for <c>exp</c> and for renewal.</param>
    /// <exception cref="VapidException">The subject is no mailto: or https: URI.</exception>
    public VapidTokens(string subject, TimeProvider timeProvider)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(timeProvider);
        if (VapidSubject.FindFault(subject) is { } fault)
        {
            throw new VapidException(fault);
        }

        _subject = subject;
        _timeProvider = timeProvider;
    }

    internal int Count => _tokens.Count;

    internal int SignatureCount { get; private set; }

    /// <summary>The header's value for an endpoint: <c>vapid t=&lt;JWT&gt;, k=&lt;public key&gt;</c>, good for at least one hour.</summary>
    /// <exception cref="ArgumentException">The endpoint is no absolute http or https URL.</exception>
    public string GetAuthorization(Uri endpoint, VapidKeyPair keys)
    {
        if (!endpoint.IsAbsoluteUri || (endpoint.Scheme != Uri.UriSchemeHttps && endpoint.Scheme != Uri.UriSchemeHttp))
        {
            throw new ArgumentException("The endpoint must be an absolute http or https URL.", nameof(endpoint));
        }

        var key = new Key(endpoint.Scheme, endpoint.Host, endpoint.Port, keys.PublicKey);
        return Find(key, _timeProvider.GetUtcNow()) ?? Renew(key, endpoint, keys);
    }

    private string? Find(Key key, DateTimeOffset now)
    {
        if (!_tokens.TryGetValue(key, out var token))
        {
            return null;
        }

        // More than its whole life left: the clock was set back, and push services would find exp too far ahead.
        var left = token.Expires - now;
        return left >= RenewBefore && left <= Lifetime ? token.Authorization : null;
    }

    private string Renew(Key key, Uri endpoint, VapidKeyPair keys)
    {
        lock (_lock)
        {
            var now = _timeProvider.GetUtcNow();
            if (Find(key, now) is { } found)
            {
                return found;
            }

            var expires = now + Lifetime;
            var jwt = VapidJwt.Sign(Origin(endpoint), expires, _subject, keys);
            SignatureCount++;
            if (_tokens.Count >= Capacity && !_tokens.ContainsKey(key))
            {
                _tokens.TryRemove(_tokens.MinBy(t => t.Value.Expires).Key, out _);
            }

            var token = new Token($"vapid t={jwt}, k={keys.PublicKey}", expires);
            _tokens[key] = token;
            return token.Authorization;
        }
    }

    /// <summary>RFC 8292, section 2: aud is the origin of the endpoint, in the ASCII form of RFC 6454 (section 6.2).</summary>
    private static string Origin(Uri endpoint)
    {
        var host = endpoint.HostNameType == UriHostNameType.Dns ? endpoint.IdnHost : endpoint.Host;
        return endpoint.IsDefaultPort ? $"{endpoint.Scheme}://{host}" : $"{endpoint.Scheme}://{host}:{endpoint.Port}";
    }

    private readonly record struct Key(string Scheme, string Host, int Port, string PublicKey);

    private sealed record Token(string Authorization, DateTimeOffset Expires);
}
