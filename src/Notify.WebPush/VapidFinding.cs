namespace Notify.WebPush;

/// <summary>What one vendor's push service would make of a key pair and a subject.</summary>
/// <param name="Vendor">The vendor and its service, for people.</param>
/// <param name="Accepted">Whether a token made of them is accepted, as far as can be told from here.</param>
/// <param name="Reason">Why not, and what to change; null when accepted.</param>
public sealed record VapidFinding(string Vendor, bool Accepted, string? Reason);
