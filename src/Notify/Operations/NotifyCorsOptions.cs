namespace Notify.Operations;

/// <summary>Section <c>Notify:Cors</c>: whose pages may call the API from a browser.</summary>
public sealed class NotifyCorsOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:Cors";

    /// <summary>
    /// Origins of the application's pages, such as <c>https://app.example.com</c>; each exactly as browsers write it. Default: none, so that only pages of
    /// the service's own origin may; in Development those of this machine.
    /// </summary>
    public IList<string> AllowedOrigins { get; } = [];

    /// <summary>What is wrong with an origin; null if nothing is.</summary>
    internal static string? FaultOf(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && (uri.Scheme == Uri.UriSchemeHttps || uri.Scheme == Uri.UriSchemeHttp)
            && string.Equals(origin, uri.GetComponents(UriComponents.SchemeAndServer, UriFormat.UriEscaped), StringComparison.OrdinalIgnoreCase) && !origin.Contains('*', StringComparison.Ordinal) ? null
        : $"'{origin}' is not an origin; write scheme, host and, unless it is the default, port, and nothing after them: https://app.example.com";
}
