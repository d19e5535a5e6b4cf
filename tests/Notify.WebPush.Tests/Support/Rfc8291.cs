using System.Buffers.Text;

namespace Notify.WebPush.Tests.Support;

/// <summary>RFC 8291, section 5 and appendix A, as printed there.</summary>
internal static class Rfc8291
{
    internal const string Plaintext = "When I grow up, I want to be a watermelon";
    internal const string AsPublic = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
    internal const string AsPrivate = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    internal const string UaPublic = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    internal const string UaPrivate = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
    internal const string Salt = "DGv6ra1nlYgDCS1FRnbzlw";
    internal const string AuthSecret = "BTBZMqHH6r4Tts7J_aSIgg";
    internal const string EcdhSecret = "kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs";
    internal const string PrkKey = "Snr3JMxaHVDXHWJn5wdC52WjpCtd2EIEGBykDcZW32k";
    internal const string Ikm = "S4lYMb_L0FxCeq0WhDx813KgSYqU26kOyzWUdsXYyrg";
    internal const string Prk = "09_eUZGrsvxChDCGRCdkLiDXrReGOEVeSCdCcPBSJSc";
    internal const string Cek = "oIhVW04MRdy2XN9CiKLxTg";
    internal const string Nonce = "4h_95klXJ5E_qnoN";
    internal const string Body =
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4M"
        + "qgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";

    internal static UserAgent UserAgent { get; } = new(Decode(UaPrivate), Decode(AuthSecret));

    internal static byte[] Decode(string text) => Base64Url.DecodeFromChars(text);
}
