namespace Notify.Sending;

/// <summary>Section <c>Notify:PushServices</c>.</summary>
public sealed class PushServicesOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:PushServices";

    /// <summary>The four vendors' hosts. Google has two: Chromium without Google's own keys, as Linux distributions build it, names the second.</summary>
    public static readonly IReadOnlyList<string> Vendors =
    [
        "fcm.googleapis.com", "jmt17.google.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com",
    ];

    /// <summary>
    /// Hosts that an endpoint may have: <c>host</c> or <c>*.suffix</c>, https on port 443 only. Given, it replaces the default, the four
    /// vendors. A full origin such as <c>http://localhost:5081</c> may be named in Development alone.
    /// </summary>
    public IList<string> Allowed { get; } = [];
}
