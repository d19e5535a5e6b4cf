namespace Notify.Dashboard;

/// <summary>Names the browser of a User-Agent header, as far as push goes: by engine and system, and never for a decision.</summary>
internal static class BrowserNames
{
    // The first that fits: most claim to be others as well.
    private static readonly (string Sign, string Name)[] Browsers =
        [("Edg", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Chromium/", "Chromium"), ("Safari/", "Safari")];

    private static readonly (string Sign, string Name)[] Systems =
        [("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iOS"), ("Windows", "Windows"), ("Macintosh", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux")];

    public static string Of(string? userAgent)
    {
        if (Find(Browsers, userAgent) is not { } browser)
        {
            return "other";
        }

        return Find(Systems, userAgent) is { } system ? $"{browser} on {system}" : browser;
    }

    private static string? Find((string Sign, string Name)[] signs, string? text) =>
        text is null ? null : Array.Find(signs, each => text.Contains(each.Sign, StringComparison.Ordinal)).Name;
}
