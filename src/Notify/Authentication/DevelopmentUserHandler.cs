using System.Net;
using System.Security.Claims;
using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace Notify.Authentication;

/// <summary>In Development, on loopback, the header <c>X-Notify-User</c> names the user.</summary>
/// <remarks>
/// A page from elsewhere must not get in through the developer's own browser: the Host (DNS rebinding) and, where a browser gives one, the Origin must be
/// of this machine too. What came through a proxy came from somewhere else.
/// </remarks>
internal sealed class DevelopmentUserHandler(IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string SchemeName = "DevelopmentUser";
    public const string Header = "X-Notify-User";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var userId = Request.Headers[Header].ToString();
        if (userId.Length == 0)
        {
            return Task.FromResult(AuthenticateResult.NoResult());
        }

        if (!IsOnThisMachine())
        {
            return Task.FromResult(AuthenticateResult.Fail($"{Header} counts on loopback only."));
        }

        var identity = new ClaimsIdentity([new Claim("sub", userId)], SchemeName);
        return Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), SchemeName)));
    }

    private static readonly string[] ProxyHeaders = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-For", "X-Real-IP", "Via"];

    private bool IsOnThisMachine() =>
        !Array.Exists(ProxyHeaders, Request.Headers.ContainsKey) &&
        Context.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)
        && IsLoopback(Request.Host.Host)
        && (Request.Headers.Origin.Count == 0 || (Uri.TryCreate(Request.Headers.Origin.ToString(), UriKind.Absolute, out var origin) && IsLoopback(origin.Host)));

    private static bool IsLoopback(string host) =>
        string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
}
