using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Notify.WebPush;

/// <summary>The token by which an application server names itself (RFC 8292, section 2): a JWT signed with ES256.</summary>
internal static class VapidJwt
{
    /// <summary>RFC 8292, section 2: the header is the same for every token.</summary>
    private static readonly string Header = Base64Url.EncodeToString("""{"typ":"JWT","alg":"ES256"}"""u8);

    internal static string Sign(string audience, DateTimeOffset expires, string subject, VapidKeyPair keys)
    {
        var signed = $"{Header}.{Base64Url.EncodeToString(Claims(audience, expires, subject))}";
        Span<byte> signature = stackalloc byte[VapidKeyPair.SignatureLength];
        keys.Sign(Encoding.ASCII.GetBytes(signed), signature);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    private static ReadOnlySpan<byte> Claims(string audience, DateTimeOffset expires, string subject)
    {
        var json = new ArrayBufferWriter<byte>();

        // A plain '+' in an address instead of \u002B: some push services read the claims with less than a whole JSON parser.
        using (var writer = new Utf8JsonWriter(json, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("aud", audience);
            writer.WriteNumber("exp", expires.ToUnixTimeSeconds());
            writer.WriteString("sub", subject);
            writer.WriteEndObject();
        }

        return json.WrittenSpan;
    }
}
