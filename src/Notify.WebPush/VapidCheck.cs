using System.Security.Cryptography;

namespace Notify.WebPush;

/// <summary>Tells before the first push what the vendors would answer only to the first push (RFC 8292, section 4.2).</summary>
public static class VapidCheck
{
    private static readonly (string Vendor, Func<string, string?> FindFault)[] Vendors =
    [
        ("Google FCM", VapidSubject.FindFault),
        ("Mozilla autopush", VapidSubject.FindFault),
        ("Apple", subject => VapidSubject.FindFault(subject) ?? VapidSubject.FindFaultOfApple(subject)),
        ("Microsoft WNS", VapidSubject.FindFault),
    ];

    /// <summary>One finding for each vendor, always in the same order. Sends nothing: the pair signs, and its public key as text verifies.</summary>
    public static IReadOnlyList<VapidFinding> Run(VapidKeyPair keys, string subject)
    {
        var keyFault = FindFault(keys);
        return [.. Vendors.Select(v => ToFinding(v.Vendor, keyFault ?? v.FindFault(subject)))];
    }

    private static VapidFinding ToFinding(string vendor, string? fault) => new(vendor, fault is null, fault);

    private static string? FindFault(VapidKeyPair keys)
    {
        var data = "Notify"u8;
        Span<byte> signature = stackalloc byte[VapidKeyPair.SignatureLength];
        keys.Sign(data, signature);
        using var verifier = ECDsa.Create(P256.PublicKey(Base64UrlText.Decode(keys.PublicKey)));
        return verifier.VerifyData(data, signature, HashAlgorithmName.SHA256)
            ? null
            : "The public key does not verify what the private key signs: generate a new pair.";
    }
}
