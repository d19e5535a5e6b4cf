using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Notify.Subscriptions;

/// <summary>What stands for an endpoint wherever it may be seen: an endpoint is a capability URL (RFC 8030 section 8.3).</summary>
public static class EndpointDigests
{
    /// <summary>Length of a digest in characters.</summary>
    public const int Length = 43;

    /// <summary>The digest of an endpoint as somebody wrote it: one URL may be spelled in several ways.</summary>
    public static string OfText(string endpoint) => Of(Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) ? uri.AbsoluteUri : endpoint);

    /// <summary>SHA-256 of the endpoint's UTF-8 bytes in base64url.</summary>
    public static string Of(string endpoint) => Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(endpoint)));
}
