using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Notify.LocalPushService;
using static Notify.Fuzz.BrokenPromiseException;

namespace Notify.Fuzz;

/// <summary>
/// The Authorization header of a push message. Since nobody guesses a signature, an input of two lines is taken for a token's header and
/// claims, which are signed here.
/// </summary>
internal static class VapidTarget
{
    private const string Origin = "http://localhost:5081";

    private static readonly ECDsa Key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private static readonly string PublicKey = Base64Url.EncodeToString(LocalPushService.P256.Point(Key.ExportParameters(false)));

    public static void Run(byte[] input)
    {
        var end = Array.IndexOf(input, (byte)'\n');
        if (end < 0)
        {
            Check(Encoding.Latin1.GetString(input));
            return;
        }

        var claims = input.AsSpan(end + 1);
        var signed = $"{Base64Url.EncodeToString(input.AsSpan(0, end))}.{Base64Url.EncodeToString(claims)}";
        var signature = Key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256);
        if (Check($"vapid t={signed}.{Base64Url.EncodeToString(signature)}, k={PublicKey}"))
        {
            var read = JsonElement.Parse(claims);
            ThrowUnless(read.GetProperty("aud").GetString() == Origin, "A token that passes is for this origin.");
            ThrowUnless(read.GetProperty("exp").GetInt64() - FixedTime.Now.ToUnixTimeSeconds() is > 0 and <= 24 * 60 * 60, "A token that passes lives on, for a day at most.");
            ThrowUnless(read.GetProperty("sub").GetString() is { } sub && (sub.StartsWith("mailto:", StringComparison.OrdinalIgnoreCase) || sub.StartsWith("https:", StringComparison.OrdinalIgnoreCase)), "A token that passes has a subject.");
        }
    }

    private static bool Check(string authorization) => new VapidVerifier(new FixedTime()).Check(authorization, Origin, null) is null;

    private sealed class FixedTime : TimeProvider
    {
        public static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
