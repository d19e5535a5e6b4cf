namespace Notify.Authentication;

/// <summary>Section <c>Notify:Auth</c>: whose tokens are believed. One of <see cref="Authority"/> and <see cref="SigningKey"/>.</summary>
public sealed class AuthOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:Auth";

    /// <summary>The shortest signing key, in bytes (RFC 7518 section 3.2).</summary>
    public const int MinSigningKeyBytes = 32;

    /// <summary>How far the issuer's clock may be from this one when a token begins and ends: 30 seconds.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    /// <summary>URL of the OpenID Connect issuer of the application's own tokens. No default.</summary>
    public string? Authority { get; set; }

    /// <summary>The audience that tokens must name; required with <see cref="Authority"/>, optional with <see cref="SigningKey"/>.</summary>
    public string? Audience { get; set; }

    /// <summary>A key shared with the application, which signs short tokens (HS256) with its UTF-8 bytes, 32 at least. A secret. No default.</summary>
    public string? SigningKey { get; set; }

    /// <summary>Keys whose tokens count beside those of <see cref="SigningKey"/>, while the application changes to a new one. Secrets, of the same length. Default: none.</summary>
    public IList<string> PreviousSigningKeys { get; } = [];
}
