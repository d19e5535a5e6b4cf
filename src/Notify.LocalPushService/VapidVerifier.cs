using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Notify.LocalPushService;

/// <summary>
/// Checks <c>Authorization: vapid t=..., k=...</c> (RFC 8292) as the strictest vendor does. A header that passed is
/// remembered word for word, so that a signature is verified once a token; its expiry is looked at every time.
/// </summary>
internal sealed class VapidVerifier(TimeProvider timeProvider)
{
    private const int MaxRemembered = 1024;
    private static readonly TimeSpan s_maxLifetime = TimeSpan.FromHours(24);

    private readonly ConcurrentDictionary<string, Verified> _verified = new(StringComparer.Ordinal);

    /// <summary>
    /// 1. both parts there and well-formed, 2. typ and alg, 3. signature, 4. aud, 5. exp, 6. sub,
    /// 7. on every use: not yet expired, and signed by the key that the subscription is restricted to.
    /// </summary>
    public Refusal? Check(string? authorization, string origin, byte[]? applicationServerKey)
    {
        if (string.IsNullOrEmpty(authorization))
        {
            return Refusal.MissingVapid;
        }

        if (!_verified.TryGetValue(authorization, out Verified? verified))
        {
            if (Verify(authorization, origin, out verified) is { } refusal)
            {
                return refusal;
            }

            if (_verified.Count >= MaxRemembered)
            {
                _verified.Clear();
            }

            _verified[authorization] = verified!;
        }

        // 7.
        if (verified!.Expires <= timeProvider.GetUtcNow().ToUnixTimeSeconds())
        {
            return Refusal.Expired;
        }

        return applicationServerKey is null || applicationServerKey.AsSpan().SequenceEqual(verified.Key) ? null : Refusal.WrongKey;
    }

    private Refusal? Verify(string authorization, string origin, out Verified? verified)
    {
        verified = null;

        // 1.
        if (!TryParse(authorization, out string token, out byte[] key) || !P256.IsOnCurve(key))
        {
            return Refusal.MalformedVapid;
        }

        string[] parts = token.Split('.');
        if (parts.Length != 3
            || !TryReadObject(parts[0], out JsonElement header)
            || !TryReadObject(parts[1], out JsonElement claims)
            || !TryDecode(parts[2], out byte[] signature))
        {
            return Refusal.MalformedToken;
        }

        // 2.
        if (Text(header, "typ") != "JWT" || Text(header, "alg") != "ES256")
        {
            return Refusal.BadTokenHeader;
        }

        // 3. RFC 7518, section 3.4: the signature is R and S side by side.
        using (ECDsa ecdsa = ECDsa.Create(P256.Parameters(key)))
        {
            byte[] signed = Encoding.ASCII.GetBytes(token[..token.LastIndexOf('.')]);
            if (!ecdsa.VerifyData(signed, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation))
            {
                return Refusal.BadSignature;
            }
        }

        // 4. RFC 8292, section 2: the origin of the push resource, and nothing more.
        if (Text(claims, "aud") != origin)
        {
            return Refusal.BadAudience;
        }

        // 5.
        if (!claims.TryGetProperty("exp", out JsonElement exp) || exp.ValueKind != JsonValueKind.Number || !exp.TryGetInt64(out long expires))
        {
            return Refusal.BadExpiry;
        }

        if (expires > (timeProvider.GetUtcNow() + s_maxLifetime).ToUnixTimeSeconds())
        {
            return Refusal.ExpiresTooLate;
        }

        // 6.
        if (!IsSubject(Text(claims, "sub")))
        {
            return Refusal.BadSubject;
        }

        verified = new Verified(key, expires);
        return null;
    }

    private static bool TryParse(string authorization, out string token, out byte[] key)
    {
        const string Scheme = "vapid ";
        token = "";
        key = [];
        if (!authorization.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        bool hasToken = false, hasKey = false;
        foreach (string parameter in authorization[Scheme.Length..].Split(',', StringSplitOptions.TrimEntries))
        {
            if (parameter.StartsWith("t=", StringComparison.Ordinal) && !hasToken)
            {
                token = parameter[2..];
                hasToken = true;
            }
            else if (parameter.StartsWith("k=", StringComparison.Ordinal) && !hasKey)
            {
                hasKey = TryDecode(parameter[2..], out key);
            }
            else
            {
                return false;
            }
        }

        return hasToken && hasKey;
    }

    // RFC 7515, section 2: base64url without padding and without white space.
    private static bool TryDecode(string text, out byte[] bytes)
    {
        bytes = [];
        if (!Base64Url.IsValid(text) || text.AsSpan().ContainsAny("= \t\r\n"))
        {
            return false;
        }

        bytes = Base64Url.DecodeFromChars(text);
        return true;
    }

    private static bool TryReadObject(string part, out JsonElement element)
    {
        element = default;
        if (!TryDecode(part, out byte[] json))
        {
            return false;
        }

        try
        {
            element = JsonElement.Parse(json);
            return element.ValueKind == JsonValueKind.Object && IsText(element);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    // JSON lets a name or a string be no text: half a surrogate pair, or no UTF-8. Looking for a member and reading it then throws.
    private static bool IsText(JsonElement element)
    {
        try
        {
            return element.EnumerateObject().All(member => member.Name is not null && (member.Value.ValueKind != JsonValueKind.String || member.Value.GetString() is not null));
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    // Apple answers BadJwtToken to these, and to hosts that mean the sender's own machine.
    private static bool IsSubject(string? subject)
    {
        if (subject is null || subject.AsSpan().ContainsAny(" <>"))
        {
            return false;
        }

        if (subject.StartsWith("mailto:", StringComparison.OrdinalIgnoreCase))
        {
            string address = subject["mailto:".Length..].Split('?')[0];
            int at = address.LastIndexOf('@');
            return at > 0 && IsPublicHost(address[(at + 1)..]);
        }

        return Uri.TryCreate(subject, UriKind.Absolute, out Uri? uri) && uri.Scheme == Uri.UriSchemeHttps && IsPublicHost(uri.Host);
    }

    private static bool IsPublicHost(string host)
    {
        host = host.TrimEnd('.');
        return host.Length > 0
            && !host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            && !host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
            && !host.EndsWith(".local", StringComparison.OrdinalIgnoreCase);
    }

    private sealed record Verified(byte[] Key, long Expires);
}
