namespace Notify.Sending;

/// <summary>Section <c>Notify:Vapid</c>: who we are to the push services (RFC 8292).</summary>
public sealed class VapidOptions
{
    /// <summary>The section's name.</summary>
    public const string Section = "Notify:Vapid";

    /// <summary>A mailto: or https: URI at which a push service reaches the operator. No default; Development uses a placeholder.</summary>
    public string? Subject { get; set; }

    /// <summary>The application server key, base64url of the 65-byte P-256 point. No default; Development makes a pair and keeps it in the store.</summary>
    public string? PublicKey { get; set; }

    /// <summary>Its private scalar, base64url of 32 bytes. A secret.</summary>
    public string? PrivateKey { get; set; }

    /// <summary>Older pairs that subscriptions were made with, kept until those are gone.</summary>
    public IList<VapidPair> Previous { get; } = [];
}

/// <summary>A VAPID key pair in configuration.</summary>
public sealed class VapidPair
{
    /// <inheritdoc cref="VapidOptions.PublicKey" />
    public string? PublicKey { get; set; }

    /// <inheritdoc cref="VapidOptions.PrivateKey" />
    public string? PrivateKey { get; set; }
}
