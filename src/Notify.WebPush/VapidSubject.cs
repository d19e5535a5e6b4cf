using System.Buffers;

namespace Notify.WebPush;

/// <summary>Whom a push service can reach about our pushes (RFC 8292, section 2.1): a mailto: or https: URI.</summary>
internal static class VapidSubject
{
    private const string MailTo = "mailto:";

    private static readonly SearchValues<char> RefusedByApple = SearchValues.Create(" \t\r\n<>");

    /// <summary>Why no push service would take the subject; null when it is a mailto: or https: URI.</summary>
    internal static string? FindFault(string subject)
    {
        if (subject.StartsWith(MailTo, StringComparison.OrdinalIgnoreCase))
        {
            var address = Address(subject);
            var at = address.LastIndexOf('@');
            return at > 0 && at < address.Length - 1 ? null : "The subject has no address after mailto:, such as mailto:push@example.com.";
        }

        return Uri.TryCreate(subject, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps
            ? null
            : "The subject must be a mailto: or https: URI, such as mailto:push@example.com.";
    }

    /// <summary>Why Apple answers BadJwtToken to a subject that the others take (second-hand: web-push#947, web-push-php#406, rpush#726).</summary>
    internal static string? FindFaultOfApple(string subject)
    {
        if (subject.AsSpan().ContainsAny(RefusedByApple))
        {
            return "Apple refuses a subject with a space or angle brackets: write mailto:push@example.com, without a name.";
        }

        // With a dot at its end a name is the same, from the root.
        var host = Host(subject).TrimEnd('.');
        return host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
            || host.EndsWith(".local", StringComparison.OrdinalIgnoreCase)
                ? "Apple refuses a subject at localhost or .local: name an address or page on a public domain."
                : null;
    }

    private static ReadOnlySpan<char> Host(string subject)
    {
        if (!subject.StartsWith(MailTo, StringComparison.OrdinalIgnoreCase))
        {
            return new Uri(subject).Host;
        }

        var address = Address(subject);
        return address[(address.LastIndexOf('@') + 1)..];
    }

    private static ReadOnlySpan<char> Address(string subject)
    {
        var rest = subject.AsSpan(MailTo.Length);
        var query = rest.IndexOf('?');
        return (query < 0 ? rest : rest[..query]).Trim();
    }
}
